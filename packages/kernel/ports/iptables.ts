import type { IpFamily } from '#ip';

/** Which of the two kernel interfaces the programs use: nf_tables, or the older ip_tables. Rules of both are in force side by side. */
export type IptablesVariant = 'nft' | 'legacy';

/**
 * iptables, by its programs `iptables-{nft,legacy}-{save,restore}` (version 1.8 or newer) and those of ip6tables: rules as text.
 * `EPERM` without the right to change rules, `ENOENT` when the program is not installed.
 */
export interface IptablesPort {
  /** Variants whose programs are installed; first the one that the plain name `iptables` stands for. */
  variants(): readonly IptablesVariant[];
  /**
   * Names of the tables that are in use, `nat` and so on: cheap, no program runs. undefined: the kernel does not say (of variant `legacy`,
   * in a user namespace).
   */
  tables(variant: IptablesVariant, family: IpFamily): Promise<readonly string[] | undefined>;
  /** One table as iptables-save prints it. Of variant `legacy` that makes the table, without rules, if it is not in use. */
  save(variant: IptablesVariant, family: IpFamily, table: string): Promise<string>;
  /**
   * iptables-restore --noflush: a chain that the input declares is made, or emptied if it is there; built-in chains and those that it does
   * not name stay. Each table of the input, up to its COMMIT, is one transaction. It waits some seconds for others that change rules.
   * @throws KernelError with the program's own words; `EINVAL` for input that it does not take
   */
  restore(variant: IptablesVariant, family: IpFamily, input: string): Promise<void>;
  /** {@link restore} where nothing is yet, and nothing of it stays: whether the kernel takes the rules. */
  test(variant: IptablesVariant, family: IpFamily, input: string): Promise<void>;
}
