import { familyOf, type IpAddress, isIp, parseIp } from '#ip';
import { InvalidInputError } from '#runtime';
import { canonicalName, type DnsName, nameToLabels, RCODES, RECORD_TYPES } from '../wire/index.ts';
import { type Resolution, record } from './resolution.ts';
import { addressOfReverseName } from './reverse-name.ts';

export interface HostEntry {
  readonly address: IpAddress;
  /** The first is the address's own name, for PTR. */
  readonly names: readonly DnsName[];
}

/**
 * Reads hosts(5).
 * @throws InvalidInputError that names the line
 */
export function parseHosts(text: string): readonly HostEntry[] {
  return text.split('\n').flatMap((line, index): readonly HostEntry[] => {
    const [address, ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (address === undefined || address === '') return [];
    const field = `hosts line ${index + 1}`;
    if (names.length === 0) throw new InvalidInputError(field, line, 'a name is missing after the address');
    try {
      for (const name of names) nameToLabels(name);
      return [{ address: isIp(address) ? address : parseIp(address), names: names.map(canonicalName) }];
    } catch (error) {
      throw new InvalidInputError(field, line, error instanceof Error ? error.message : String(error));
    }
  });
}

/** Names with addresses that were written down, before any other source. A name that is here has no other types. */
export class HostEntries {
  readonly #byName: ReadonlyMap<DnsName, readonly IpAddress[]>;
  readonly #byAddress: ReadonlyMap<IpAddress, DnsName>;
  readonly #ttl: number;

  constructor(entries: readonly HostEntry[], ttl: number) {
    const byName = new Map<DnsName, IpAddress[]>();
    const byAddress = new Map<IpAddress, DnsName>();
    for (const { address, names } of entries) {
      for (const name of names) byName.set(name, [...(byName.get(name) ?? []), address]);
      const [own] = names;
      if (own !== undefined && !byAddress.has(address)) byAddress.set(address, own);
    }
    this.#byName = byName;
    this.#byAddress = byAddress;
    this.#ttl = ttl;
  }

  /** Undefined when the canonical name is not here. */
  resolve(name: DnsName, typeCode: number): Resolution | undefined {
    const reverse = name.endsWith('.arpa') ? addressOfReverseName(name) : undefined;
    const pointer = reverse === undefined ? undefined : this.#byAddress.get(reverse);
    const addresses = this.#byName.get(name);
    if (pointer === undefined && addresses === undefined) return undefined;
    const answers = (addresses ?? [])
      .filter((address) => typeCode === RECORD_TYPES[familyOf(address) === 'IPv4' ? 'A' : 'AAAA'])
      .map((address) =>
        record(name, this.#ttl, { type: familyOf(address) === 'IPv4' ? 'A' : 'AAAA', address }),
      );
    if (pointer !== undefined && typeCode === RECORD_TYPES.PTR)
      answers.push(record(name, this.#ttl, { type: 'PTR', target: pointer }));
    return {
      rcode: RCODES.NOERROR,
      authoritative: true,
      answers,
      authorities: [],
      additionals: [],
      stamp: [],
    };
  }
}
