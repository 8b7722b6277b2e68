import {
  familyOf,
  type IpAddress,
  type IpPrefix,
  ipFromBytes,
  ipToBytes,
  prefixAddress,
  prefixLength,
} from '#ip';
import type { DnsName } from '../wire/index.ts';

/** The name of an address's PTR record: RFC 1035 section 3.5, RFC 3596 section 2.5. */
export function reverseName(address: IpAddress): DnsName {
  return `${reverseLabels(address).join('.')}.${arpa(address)}`;
}

function arpa(address: IpAddress): DnsName {
  return familyOf(address) === 'IPv4' ? 'in-addr.arpa' : 'ip6.arpa';
}

function reverseLabels(address: IpAddress): readonly string[] {
  const bytes = [...ipToBytes(address)];
  const labels =
    familyOf(address) === 'IPv4'
      ? bytes.map(String)
      : bytes.flatMap((byte) => [(byte >> 4).toString(16), (byte & 15).toString(16)]);
  return labels.reverse();
}

/** The address a canonical `in-addr.arpa` or `ip6.arpa` name stands for, or undefined when it is not a whole one. */
export function addressOfReverseName(name: DnsName): IpAddress | undefined {
  if (name.endsWith('.in-addr.arpa')) {
    const labels = name.slice(0, -'.in-addr.arpa'.length).split('.');
    if (labels.length !== 4 || !labels.every((label) => /^(0|[1-9][0-9]{0,2})$/.test(label) && +label < 256))
      return undefined;
    return ipFromBytes(Uint8Array.from(labels.reverse(), Number));
  }
  if (name.endsWith('.ip6.arpa')) {
    const labels = name.slice(0, -'.ip6.arpa'.length).split('.');
    if (labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return undefined;
    return ipFromBytes(Uint8Array.from(Buffer.from(labels.reverse().join(''), 'hex')));
  }
  return undefined;
}

/**
 * The zones that together hold the reverse names of a prefix: one when the prefix ends on a label (8 bits for IPv4,
 * 4 for IPv6), else one for each value of the label it ends in.
 */
export function reverseZones(prefix: IpPrefix): readonly DnsName[] {
  const address = prefixAddress(prefix);
  const bitsPerLabel = familyOf(address) === 'IPv4' ? 8 : 4;
  const length = prefixLength(prefix);
  const labels = reverseLabels(address);
  const whole = Math.floor(length / bitsPerLabel);
  const tail = [...labels.slice(labels.length - whole), arpa(address)].join('.');
  const rest = length - whole * bitsPerLabel;
  if (rest === 0) return [tail];
  const radix = bitsPerLabel === 8 ? 10 : 16;
  const first = Number.parseInt(labels[labels.length - whole - 1] ?? '0', radix);
  return Array.from(
    { length: 2 ** (bitsPerLabel - rest) },
    (_, i) => `${(first + i).toString(radix)}.${tail}`,
  );
}
