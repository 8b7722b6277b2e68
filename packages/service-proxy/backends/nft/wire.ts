import { endianness } from 'node:os';
import { type IpAddress, type IpFamily, ipToBytes } from '#ip';
import type { NftElementChange, NftVerdict } from '#kernel';
import type { NftElement, NftSet, NftType } from './model.ts';
import { PROTOCOL_NUMBERS } from './place.ts';
import { tableFamily } from './text.ts';

/** The element of `set` in the kernel port's form: bytes instead of text. */
export function elementChange(
  op: 'add' | 'delete',
  element: NftElement,
  set: NftSet,
  family: IpFamily,
  table: string,
): NftElementChange {
  const change = {
    op,
    family: tableFamily(family),
    table,
    set: set.name,
    key: parts(element.key, set.key),
  };
  if (set.data === undefined) return change;
  return {
    ...change,
    data:
      set.data === 'verdict'
        ? { verdict: verdict(element.value) }
        : { value: parts(element.value, set.data) },
  };
}

function parts(text: string, types: readonly NftType[]): readonly Uint8Array[] {
  const texts = text.split(' . ');
  return types.map((type, i) => partBytes(texts[i] ?? '', type));
}

/** Bytes of protocols, ports and slots: there are few, and each is in many elements. */
const KNOWN: Readonly<Record<Exclude<NftType, 'address'>, Map<string, Uint8Array>>> = {
  protocol: new Map(),
  port: new Map(),
  slot: new Map(),
  mark: new Map(),
};

function partBytes(text: string, type: NftType): Uint8Array {
  if (type === 'address') return ipToBytes(text as IpAddress);
  const known = KNOWN[type].get(text);
  if (known !== undefined) return known;
  const bytes = numberBytes(text, type);
  KNOWN[type].set(text, bytes);
  return bytes;
}

function numberBytes(text: string, type: Exclude<NftType, 'address'>): Uint8Array {
  switch (type) {
    case 'protocol':
      return Uint8Array.of(PROTOCOL_NUMBERS[text] ?? 0);
    case 'port': {
      const port = Number(text);
      return Uint8Array.of(port >> 8, port & 0xff);
    }
    case 'slot':
    case 'mark': {
      // numgen leaves its number in the register in the host's byte order (net/netfilter/nft_numgen.c), as marks are.
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, Number(text), endianness() === 'LE');
      return bytes;
    }
  }
}

function verdict(text: string): NftVerdict {
  const [kind, chain] = text.split(' ');
  if (kind === 'goto' || kind === 'jump') return { kind, chain: chain ?? '' };
  if (kind === 'drop' || kind === 'accept' || kind === 'return') return { kind };
  throw new Error(`not a verdict: ${text}`);
}
