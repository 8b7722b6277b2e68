import type { TableShape } from './layout.ts';
import type { NftChain, NftListing } from './model.ts';
import type { NftOperation } from './operation.ts';
import { ruleText } from './text.ts';

/**
 * What makes these rules the ones that this version writes, with every element in its place, so that no packet misses its Service meanwhile:
 * nothing where nobody has changed them. undefined: there is no such way, sets or hooks are others.
 */
export function ruleRepairs(
  listing: NftListing,
  { sets, chains, targets }: TableShape,
): readonly NftOperation[] | undefined {
  const names = new Set(listing.sets);
  if (names.size !== sets.length || sets.some((set) => !names.has(set.name))) return undefined;
  const left = new Map(listing.chains.map((chain) => [chain.name, chain]));
  const repairs: NftOperation[] = [];
  const right = new Set<string>();
  const make = (name: string) => {
    if (right.has(name)) return;
    right.add(name);
    const { chain, needs } = targets.body(name);
    needs.forEach(make);
    repairs.push(...toward(chain, left.get(name)));
  };
  for (const chain of chains) {
    const found = left.get(chain.name);
    if (found !== undefined && hookText(found) !== hookText(chain)) return undefined;
    repairs.push(...toward(chain, found));
    left.delete(chain.name);
  }
  for (const name of left.keys()) if (targets.is(name)) make(name);
  for (const name of left.keys()) if (!targets.is(name)) repairs.push({ do: 'delete chain', name });
  return repairs;
}

function toward(chain: NftChain, found: NftChain | undefined): readonly NftOperation[] {
  if (found === undefined) return [{ do: 'add chain', chain }];
  const isSame = found.hook?.policy === chain.hook?.policy && rulesText(found) === rulesText(chain);
  return isSame ? [] : [{ do: 'replace rules', chain }];
}

function hookText({ hook }: NftChain): string {
  return [hook?.type, hook?.at, hook?.priority].join(' ');
}

function rulesText({ rules }: NftChain): string {
  return rules.map((rule) => ruleText(rule, 'IPv4')).join('\n');
}
