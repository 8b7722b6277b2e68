import {
  familyOf,
  hostPrefix,
  type IpAddress,
  type IpPrefix,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixFamily,
} from '#ip';
import type { NftElement, NftSet } from '../backends/nft/model.ts';

interface RangeElement {
  /** Parts of the key that are the same text. */
  readonly exact: readonly string[];
  readonly prefix: IpPrefix;
  readonly element: NftElement;
}

/** Elements of sets and maps, by what they hold. */
export class NftElements {
  readonly #intervals: ReadonlySet<string>;
  readonly #plain = new Map<string, Map<string, NftElement>>();
  readonly #ranges = new Map<string, RangeElement[]>();

  /** @param sets of the table: those of intervals have elements that end in a prefix */
  constructor(elements: readonly NftElement[], sets: readonly NftSet[]) {
    this.#intervals = new Set(sets.filter(({ kind }) => kind === 'interval').map(({ name }) => name));
    for (const element of elements)
      if (this.#intervals.has(element.set)) this.#addRange(element);
      else this.#addPlain(element);
  }

  /** The element that holds the key, undefined when none does. */
  find(set: string, key: readonly string[]): NftElement | undefined {
    const last = key.at(-1);
    if (!this.#intervals.has(set) || last === undefined) return this.#plain.get(set)?.get(key.join(' . '));
    const address = last as IpAddress;
    return this.#ranges
      .get(set)
      ?.find(
        ({ exact, prefix }) =>
          exact.every((part, i) => part === key[i]) &&
          familyOf(address) === prefixFamily(prefix) &&
          prefixContains(prefix, address),
      )?.element;
  }

  #addPlain(element: NftElement): void {
    const elements = this.#plain.get(element.set) ?? new Map<string, NftElement>();
    elements.set(element.key, element);
    this.#plain.set(element.set, elements);
  }

  #addRange(element: NftElement): void {
    const parts = element.key.split(' . ');
    const last = parts.pop() ?? '';
    const prefix = last.includes('/') ? parsePrefix(last) : hostPrefix(parseIp(last));
    const ranges = this.#ranges.get(element.set) ?? [];
    ranges.push({ exact: parts, prefix, element });
    this.#ranges.set(element.set, ranges);
  }
}
