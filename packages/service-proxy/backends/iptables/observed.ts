import { type IpFamily, prefixAddress } from '#ip';
import { otherWork, PodwayError } from '#runtime';
import { type FrontendKey, frontendKey, type Protocol } from '../../table/entry.ts';
import { type ChainId, chainId, type IptTable } from './model.ts';
import { PREFIX } from './names.ts';
import { parseRule, type SavedTable } from './parse.ts';
import { ruleText } from './text.ts';

/** What is in the kernel of ours, as text. */
export interface ObservedChains {
  /** Rules of our chains, a line each. */
  readonly chains: Map<ChainId, readonly string[]>;
  /** Rules of other chains that lead to ours. */
  readonly jumps: readonly { readonly table: IptTable; readonly from: string; readonly rule: string }[];
}

export function observedChains(tables: ReadonlyMap<IptTable, SavedTable>): ObservedChains {
  const chains = new Map<ChainId, readonly string[]>();
  const jumps: { table: IptTable; from: string; rule: string }[] = [];
  for (const [table, saved] of tables)
    for (const [name, rules] of saved) {
      if (name.startsWith(PREFIX)) chains.set(chainId(table, name), rules);
      else
        for (const rule of rules)
          if (/(?:^| )-[jg] PODWAY-\S+$/.test(rule)) jumps.push({ table, from: name, rule });
    }
  return { chains, jumps };
}

/** As this version prints it; a rule that it does not know stays as it is, and is equal to none of ours. */
export function canonical(rule: string, family: IpFamily): string {
  const known = readable(rule, family);
  return known === undefined ? rule : ruleText(known, family);
}

/** What is answered there: by rules of the chains of networks, translated, refused or dropped. */
export async function observedFrontends(
  { chains }: ObservedChains,
  family: IpFamily,
): Promise<ReadonlySet<FrontendKey>> {
  const found = new Set<FrontendKey>();
  for (const [id, rules] of chains) {
    if (!id.includes(' PODWAY-NET-')) continue;
    await otherWork(); // a network has hundreds of rules
    for (const text of rules) {
      const { destination, protocol, port } = readable(text, family) ?? {};
      if (destination === undefined || protocol === undefined || port === undefined) continue;
      found.add(frontendKey(prefixAddress(destination), protocol.toUpperCase() as Protocol, port));
    }
  }
  return found;
}

function readable(rule: string, family: IpFamily) {
  try {
    return parseRule(rule, family);
  } catch (error) {
    if (error instanceof PodwayError) return undefined;
    throw error;
  }
}
