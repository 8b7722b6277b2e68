import type { IpFamily } from '#ip';
import { type IptablesPort, type IptablesVariant, isKernelError } from '#kernel';
import { otherWork } from '#runtime';
import type { FrontendKey } from '../../table/entry.ts';
import type { ServiceTable } from '../../table/table.ts';
import {
  type ChainChange,
  COMMIT,
  changeLines,
  type IptChange,
  jumpChanges,
  jumpsQuestion,
  removal,
} from './change.ts';
import { type ChainChanges, DesiredChains } from './desired.ts';
import { IPT_TABLES, type IptRule, type IptTable } from './model.ts';
import { canonical, type ObservedChains, observedChains, observedFrontends } from './observed.ts';
import { parseSave, type SavedTable } from './parse.ts';
import { ruleText } from './text.ts';

/** Chains that are compared, and lines that are printed, between other work: some milliseconds. */
const SLICE = 100;
const LINES = 4_000;

/** One family's rules in one variant of iptables: what is there, what should be, and the shortest way between. */
export class FamilyRules {
  readonly family: IpFamily;
  readonly #iptables: IptablesPort;
  readonly #variant: IptablesVariant;
  #desired: DesiredChains;
  /** What is in the kernel, as far as we know; undefined: not known. */
  #present: ObservedChains | undefined;
  /** To be read even where the kernel does not say whether there is anything (legacy, in a user namespace); reading makes the tables. */
  #certain: boolean;
  /** The desired chains were computed and not all of them written: every one is to be compared. */
  #stale = true;

  /** @param certain whether the variant is known to be the one that serves */
  constructor(iptables: IptablesPort, variant: IptablesVariant, family: IpFamily, certain: boolean) {
    this.#certain = certain;
    this.#iptables = iptables;
    this.#variant = variant;
    this.family = family;
    this.#desired = new DesiredChains(family);
  }

  /** How many Services it carries. */
  get size(): number {
    return this.#desired.size;
  }

  async observe(): Promise<ReadonlySet<FrontendKey>> {
    this.#stale = true;
    this.#present = await this.#read();
    return observedFrontends(this.#present, this.family);
  }

  /** @returns how many chains and jumps it wrote, in how many transactions */
  async apply(
    table: ServiceTable,
    changed: readonly string[],
  ): Promise<{ readonly writes: number; readonly transactions: number }> {
    if (!this.#certain) this.#present = undefined;
    this.#certain = true;
    const present = this.#present ?? (await this.#read());
    const whole = this.#stale;
    this.#stale = true; // should this fail
    this.#present = undefined;
    // A new one each time: after a failure, what was computed for it is no measure of what is there.
    if (whole) this.#desired = new DesiredChains(this.family);
    const wanted = await this.#desired.update(table, whole ? 'all' : changed);
    const change = await this.#difference(present, wanted, whole);
    const writes = change.chains.length + change.jumps.length;
    const transactions = writes > 0 ? await this.#write(change) : 0;
    for (const { id, after } of change.chains)
      if (after === undefined) present.chains.delete(id);
      else present.chains.set(id, after);
    // Jumps are looked at when everything is.
    this.#present = { chains: present.chains, jumps: [] };
    this.#stale = false;
    return { writes, transactions };
  }

  /** Whether packets still come to our chains: cheap at any size. */
  async isReached(): Promise<boolean> {
    try {
      await this.#iptables.restore(this.#variant, this.family, jumpsQuestion(this.family));
      return true;
    } catch (error) {
      if (isKernelError(error, 'EINVAL')) return false;
      throw error;
    }
  }

  /** Whether everything that we wrote is there, and nothing else: reads all. */
  async matches(): Promise<boolean> {
    if (this.#present === undefined) return false;
    const found = await this.#read();
    if (found.chains.size !== this.#present.chains.size || this.#jumpChanges(found).length > 0) return false;
    let compared = 0;
    for (const [id, rules] of this.#present.chains) {
      if (++compared % SLICE === 0) await otherWork();
      if (!this.#same(found.chains.get(id), rules)) return false;
    }
    return true;
  }

  async remove(): Promise<void> {
    this.#stale = true;
    this.#present = undefined;
    for (const step of removal(await this.#read())) await this.#write(step);
  }

  /** @returns in how many transactions */
  async #write(change: IptChange): Promise<number> {
    const lines: string[] = [];
    let transactions = 0;
    for (const line of changeLines(change)) {
      if (line === COMMIT) transactions++;
      if (lines.push(line) % LINES === 0) await otherWork();
    }
    lines.push('');
    await this.#iptables.restore(this.#variant, this.family, lines.join('\n'));
    return transactions;
  }

  async #read(): Promise<ObservedChains> {
    const known = await this.#iptables.tables(this.#variant, this.family);
    const tables = new Map<IptTable, SavedTable>();
    for (const table of IPT_TABLES)
      if (known?.includes(table) ?? this.#certain)
        tables.set(table, await parseSave(await this.#iptables.save(this.#variant, this.family, table)));
    return observedChains(tables);
  }

  /** @param whole also chains that nobody wants, and jumps */
  async #difference(present: ObservedChains, wanted: ChainChanges, whole: boolean): Promise<IptChange> {
    const chains: ChainChange[] = [];
    const text = (rules: readonly IptRule[] | undefined) => rules?.map((rule) => ruleText(rule, this.family));
    let compared = 0;
    for (const [id, rules] of wanted) {
      if (++compared % SLICE === 0) await otherWork();
      const before = present.chains.get(id);
      const after = text(rules);
      if (!this.#same(before, after)) chains.push({ id, before, after });
    }
    if (!whole) return { chains, jumps: [] };
    for (const [id, before] of present.chains)
      if (!wanted.has(id)) chains.push({ id, before, after: undefined });
    return { chains, jumps: this.#jumpChanges(present) };
  }

  #jumpChanges({ jumps }: ObservedChains) {
    return jumpChanges(jumps, this.family, (rule) => canonical(rule, this.family));
  }

  #same(found: readonly string[] | undefined, wanted: readonly string[] | undefined): boolean {
    if (found === undefined || wanted === undefined) return found === wanted;
    return (
      found.length === wanted.length &&
      found.every((rule, i) => rule === wanted[i] || canonical(rule, this.family) === wanted[i])
    );
  }
}
