import { endianness } from 'node:os';
import {
  addressBits,
  type IpAddress,
  type IpFamily,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  parsePrefix,
} from '#ip';
import type { NftElement as KernelElement, NftVerdict } from '#kernel';
import { otherWork } from '#runtime';
import type { NftElement, NftSet, NftType } from './model.ts';
import { UnknownNftError } from './parse.ts';
import { PROTOCOL_NUMBERS } from './place.ts';
import { rangeText } from './range-text.ts';

/** Elements decoded before other work gets its turn: a few milliseconds. */
const SLICE = 5_000;
const PROTOCOL_NAMES = new Map(Object.entries(PROTOCOL_NUMBERS).map(([name, number]) => [number, name]));

/** The set's elements in text, from the kernel's bytes. @throws UnknownNftError for what Podway never writes */
export async function listedElements(
  set: NftSet,
  listed: readonly KernelElement[],
  family: IpFamily,
): Promise<readonly NftElement[]> {
  if (set.kind === 'interval' && set.key.length === 1)
    return ranges(listed, family).map((key) => ({ set: set.name, key, value: '' }));
  const elements: NftElement[] = [];
  for (const element of listed) {
    if (elements.length % SLICE === SLICE - 1) await otherWork();
    elements.push({
      set: set.name,
      key: keyText(set, element, family),
      value: valueText(set, element, family),
    });
  }
  return elements;
}

function keyText(set: NftSet, { key, keyEnd }: KernelElement, family: IpFamily): string {
  if (set.kind !== 'interval') return partsText(key, set.key, family);
  // A range in a concatenation: the parts before the last are one value each.
  const first = partsText(key, set.key, family).split(' . ');
  const last =
    partsText(keyEnd ?? key, set.key, family)
      .split(' . ')
      .at(-1) ?? '';
  const from = first.pop() ?? '';
  return [...first, prefixText(ipValue(from), ipValue(last), family)].join(' . ');
}

function valueText(set: NftSet, { data }: KernelElement, family: IpFamily): string {
  if (set.data === undefined) return '';
  if (set.data === 'verdict') {
    if (data === undefined || !('verdict' in data)) throw new UnknownNftError('map element', set.name);
    return verdictText(data.verdict);
  }
  if (data === undefined || !('value' in data)) throw new UnknownNftError('map element', set.name);
  return partsText(data.value, set.data, family);
}

function verdictText(verdict: NftVerdict): string {
  return 'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
}

/** Each part of a concatenation starts at a multiple of 4 bytes. */
function partsText(bytes: Uint8Array, types: readonly NftType[], family: IpFamily): string {
  let text = '';
  let at = 0;
  for (const type of types) {
    if (at > 0) text += ' . ';
    text += partText(bytes, at, type, family);
    at += type === 'address' ? addressBits(family) / 8 : 4;
  }
  return text;
}

function partText(bytes: Uint8Array, at: number, type: NftType, family: IpFamily): string {
  switch (type) {
    case 'address':
      return family === 'IPv4'
        ? `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`
        : ipFromBytes(bytes.subarray(at, at + 16));
    case 'protocol':
      return PROTOCOL_NAMES.get(bytes[at] ?? 0) ?? String(bytes[at]);
    case 'port':
      return String(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
    case 'slot':
    case 'mark': {
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      return String(view.getUint32(at, endianness() === 'LE'));
    }
  }
}

/**
 * A range in a set of ranges is two elements, its first key and the first key behind it; the second is missing when another range
 * begins there, or when the range ends with the last address.
 */
function ranges(listed: readonly KernelElement[], family: IpFamily): readonly string[] {
  const edges = listed
    .map(({ key, endsInterval }) => ({ at: ipToBigInt(ipFromBytes(key)), ends: endsInterval === true }))
    .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : Number(b.ends) - Number(a.ends)));
  const beyond = 1n << BigInt(addressBits(family));
  return edges.flatMap(({ at, ends }, i) =>
    ends ? [] : [prefixText(at, (edges[i + 1]?.at ?? beyond) - 1n, family)],
  );
}

function ipValue(text: string): bigint {
  return ipToBigInt(text as IpAddress);
}

function prefixText(first: bigint, last: bigint, family: IpFamily): string {
  const size = last - first + 1n;
  const hostBits = size > 0n ? size.toString(2).length - 1 : 0;
  if (size <= 0n || size !== 1n << BigInt(hostBits) || first % size !== 0n)
    throw new UnknownNftError('range', `${first}-${last}`);
  return rangeText(parsePrefix(`${ipFromBigInt(first, family)}/${addressBits(family) - hostBits}`));
}
