import { familyOf, type IpAddress, type IpPrefix, parsePrefix, prefixContains } from '#ip';
import type { NftChain, NftListing, NftSet } from '../backends/nft/model.ts';

/** Rules made ready to be walked: chains by name, hooks in order, elements by key. */
export interface WalkRules {
  chain(name: string): NftChain | undefined;
  /** Base chains of a hook, in the order in which the kernel runs them. */
  hooked(at: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'): readonly NftChain[];
  /** The value of the element that holds the key ('' in a set), undefined when none does. */
  find(set: string, key: readonly string[]): string | undefined;
}

interface RangeElement {
  /** Parts of the key that are the same text. */
  readonly exact: readonly string[];
  readonly prefix: IpPrefix;
}

/** @param sets of the table: those of intervals have elements that end in a prefix */
export function walkRules(listing: NftListing, sets: readonly NftSet[]): WalkRules {
  const intervals = new Set(sets.filter(({ kind }) => kind === 'interval').map(({ name }) => name));
  const chains = new Map(listing.chains.map((chain) => [chain.name, chain]));
  const plain = new Map<string, Map<string, string>>();
  const ranges = new Map<string, RangeElement[]>();
  for (const { set, key, value } of listing.elements) {
    if (intervals.has(set)) {
      const parts = key.split(' . ');
      const last = parts.pop() ?? '';
      const prefix = parsePrefix(last.includes('/') ? last : `${last}/${last.includes(':') ? 128 : 32}`);
      ranges.set(set, [...(ranges.get(set) ?? []), { exact: parts, prefix }]);
      continue;
    }
    const elements = plain.get(set) ?? new Map<string, string>();
    elements.set(key, value);
    plain.set(set, elements);
  }
  return {
    chain: (name) => chains.get(name),
    hooked: (at) =>
      [...chains.values()]
        .filter(({ hook }) => hook?.at === at)
        .sort((a, b) => (a.hook?.priority ?? 0) - (b.hook?.priority ?? 0)),
    find(set, key) {
      const last = key.at(-1);
      if (!intervals.has(set) || last === undefined) return plain.get(set)?.get(key.join(' . '));
      const address = last as IpAddress;
      const holds = ({ exact, prefix }: RangeElement) =>
        exact.every((part, i) => part === key[i]) &&
        familyOf(address) === (prefix.includes(':') ? 'IPv6' : 'IPv4') &&
        prefixContains(prefix, address);
      return (ranges.get(set) ?? []).some(holds) ? '' : undefined;
    },
  };
}
