import type { TableShape } from './layout.ts';
import type { NftChain, NftListing } from './model.ts';
import { ruleText } from './text.ts';

/** Whether the sets and rules are the ones that this version writes. */
export function isOurs(listing: NftListing, { sets, chains, targets }: TableShape): boolean {
  const names = new Set(listing.sets);
  if (names.size !== sets.length || sets.some((set) => !names.has(set.name))) return false;
  const found = new Map(listing.chains.map((chain) => [chain.name, chain]));
  for (const chain of chains) {
    if (!sameChain(chain, found.get(chain.name))) return false;
    found.delete(chain.name);
  }
  for (const [name, chain] of found)
    if (!targets.is(name) || !sameChain(targets.body(name).chain, chain)) return false;
  return true;
}

function sameChain(expected: NftChain, found: NftChain | undefined): boolean {
  const text = ({ hook, rules }: NftChain) =>
    [hook?.type, hook?.at, hook?.priority, ...rules.map((rule) => ruleText(rule, 'IPv4'))].join('\n');
  return found !== undefined && text(expected) === text(found);
}
