import { NetlinkFormatError } from '../errors.ts';
import type { NftElement, NftElementChange, NftFamily, NftVerdict } from '../ports/nft.ts';
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST } from './header-flags.ts';
import { Attributes, afterHeader, eachAttribute } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

/** include/uapi/linux/netfilter/nfnetlink.h and nf_tables.h */
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFNL_MSG_BATCH_BEGIN = 0x10;
export const NFNL_MSG_BATCH_END = 0x11;
const NFT_MSG_NEWSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 12;
export const NFT_MSG_GETSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 13;
const NFT_MSG_DELSETELEM = (NFNL_SUBSYS_NFTABLES << 8) | 14;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_FLAGS = 3;
const NFTA_SET_ELEM_TIMEOUT = 4;
const NFTA_SET_ELEM_USERDATA = 6;
const NFTA_SET_ELEM_KEY_END = 10;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFT_SET_ELEM_INTERVAL_END = 1;
/** libnftnl's udata type of an element's comment. */
const UDATA_COMMENT = 0;

export const NFT_FAMILIES: Readonly<Record<NftFamily, number>> = {
  inet: 1,
  ip: 2,
  arp: 3,
  netdev: 5,
  bridge: 7,
  ip6: 10,
};
/** An attribute's length is 16 bits: elements beyond this go into another message of the same transaction. */
const MAX_LIST_BYTES = 60_000;

/** Where one message of a batch went: enough to name the element an error points at. */
export interface ElementMessage {
  readonly sequence: number;
  /** Index of its first change. */
  readonly first: number;
  /** Where each of its elements starts, in bytes from the message's start. */
  readonly starts: readonly number[];
}

/**
 * One transaction: batch begin, as few messages as the elements' sets and sizes allow, batch end. The last message
 * of elements asks for the acknowledgement.
 */
export function encodeElementBatch(
  writer: NetlinkWriter,
  changes: readonly NftElementChange[],
  nextSequence: () => number,
): readonly ElementMessage[] {
  const messages: ElementMessage[] = [];
  batchEdge(writer, NFNL_MSG_BATCH_BEGIN, nextSequence());
  for (let first = 0; first < changes.length; ) {
    const message = encodeRun(writer, changes, first, nextSequence());
    messages.push(message);
    first += message.starts.length;
  }
  batchEdge(writer, NFNL_MSG_BATCH_END, nextSequence());
  return messages;
}

export function batchEdge(writer: NetlinkWriter, type: number, sequence: number): void {
  writer.message(type, NLM_F_REQUEST, sequence, () => writer.u8(0).u8(0).u16be(NFNL_SUBSYS_NFTABLES));
}

/** One message: the changes from `first` that are alike in operation and set, as many as fit. */
function encodeRun(
  writer: NetlinkWriter,
  changes: readonly NftElementChange[],
  first: number,
  sequence: number,
): ElementMessage {
  const head = changes[first];
  const starts: number[] = [];
  if (head === undefined) return { sequence, first, starts };
  const start = writer.length;
  const type = head.op === 'add' ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
  const flags = NLM_F_REQUEST | (head.op === 'add' ? NLM_F_CREATE : 0);
  const flagsAt = start + 6;
  writer.message(type, flags, sequence, () => {
    writer.u8(NFT_FAMILIES[head.family]).u8(0).u16be(0);
    writer.attrString(NFTA_SET_ELEM_LIST_TABLE, head.table);
    writer.attrString(NFTA_SET_ELEM_LIST_SET, head.set);
    writer.nest(NFTA_SET_ELEM_LIST_ELEMENTS, () => {
      const listStart = writer.length;
      for (let at = first; at < changes.length; at++) {
        const change = changes[at];
        if (change === undefined || !sameSet(head, change) || writer.length - listStart > MAX_LIST_BYTES)
          break;
        starts.push(writer.nest(NFTA_LIST_ELEM, () => encodeElement(writer, change)) - start);
      }
    });
  });
  if (first + starts.length === changes.length) writer.patchU16(flagsAt, flags | NLM_F_ACK);
  return { sequence, first, starts };
}

function sameSet(a: NftElementChange, b: NftElementChange): boolean {
  return a.op === b.op && a.set === b.set && a.table === b.table && a.family === b.family;
}

function encodeElement(writer: NetlinkWriter, change: NftElementChange): void {
  writer.nest(NFTA_SET_ELEM_KEY, () => encodeValue(writer, change.key));
  const { keyEnd, data, timeout, comment } = change;
  if (keyEnd !== undefined) writer.nest(NFTA_SET_ELEM_KEY_END, () => encodeValue(writer, keyEnd));
  if (data !== undefined)
    writer.nest(NFTA_SET_ELEM_DATA, () => {
      if ('value' in data) encodeValue(writer, data.value);
      else encodeVerdict(writer, data.verdict);
    });
  if (timeout !== undefined) writer.attrU64be(NFTA_SET_ELEM_TIMEOUT, BigInt(timeout));
  if (comment !== undefined) {
    const text = Buffer.from(`${comment}\0`);
    writer.attr(NFTA_SET_ELEM_USERDATA, Buffer.concat([Buffer.from([UDATA_COMMENT, text.length]), text]));
  }
}

/** The fields of a concatenation are padded to 4 bytes each; a lone field has its own length. */
function encodeValue(writer: NetlinkWriter, parts: readonly Uint8Array[]): void {
  writer.attrParts(NFTA_DATA_VALUE, parts);
}

function encodeVerdict(writer: NetlinkWriter, verdict: NftVerdict): void {
  writer.nest(NFTA_DATA_VERDICT, () => {
    writer.attrU32be(NFTA_VERDICT_CODE, VERDICT_CODES[verdict.kind]);
    if ('chain' in verdict) writer.attrString(NFTA_VERDICT_CHAIN, verdict.chain);
  });
}

const VERDICT_CODES: Readonly<Record<NftVerdict['kind'], number>> = {
  drop: 0,
  accept: 1,
  jump: -3,
  goto: -4,
  return: -5,
};

/** A dump of one set. */
export function encodeElementDump(
  writer: NetlinkWriter,
  family: NftFamily,
  table: string,
  set: string,
): void {
  writer.u8(NFT_FAMILIES[family]).u8(0).u16be(0);
  writer.attrString(NFTA_SET_ELEM_LIST_TABLE, table);
  writer.attrString(NFTA_SET_ELEM_LIST_SET, set);
}

/** The elements in one message of a dump; their bytes are parts of one copy of it. @throws NetlinkFormatError */
export function decodeElements(payload: Buffer): readonly NftElement[] {
  const list = new Attributes(afterHeader(payload, 4, 'nft elements')).bytes(NFTA_SET_ELEM_LIST_ELEMENTS);
  const elements: NftElement[] = [];
  if (list !== undefined)
    eachAttribute(Buffer.from(list), (_, value) => elements.push(decodeElement(new Attributes(value))));
  return elements;
}

function decodeElement(attributes: Attributes): NftElement {
  const key = attributes.nested(NFTA_SET_ELEM_KEY)?.bytes(NFTA_DATA_VALUE);
  if (key === undefined) throw new NetlinkFormatError('netlink: an nft element without a key');
  const keyEnd = attributes.nested(NFTA_SET_ELEM_KEY_END)?.bytes(NFTA_DATA_VALUE);
  const data = decodeData(attributes.nested(NFTA_SET_ELEM_DATA));
  const timeout = attributes.u64be(NFTA_SET_ELEM_TIMEOUT);
  const comment = decodeComment(attributes.bytes(NFTA_SET_ELEM_USERDATA));
  const endsInterval = ((attributes.u32be(NFTA_SET_ELEM_FLAGS) ?? 0) & NFT_SET_ELEM_INTERVAL_END) !== 0;
  return {
    key: view(key),
    ...(keyEnd === undefined ? {} : { keyEnd: view(keyEnd) }),
    ...(endsInterval ? { endsInterval } : {}),
    ...(data === undefined ? {} : { data }),
    ...(comment === undefined ? {} : { comment }),
    ...(timeout === undefined ? {} : { timeout: Number(timeout) }),
  };
}

/** Costs a tenth of a copy of its own. */
function view({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

function decodeData(data: Attributes | undefined): NftElement['data'] {
  const value = data?.bytes(NFTA_DATA_VALUE);
  if (value !== undefined) return { value: view(value) };
  const verdict = data?.nested(NFTA_DATA_VERDICT);
  const code = verdict?.u32be(NFTA_VERDICT_CODE);
  if (code === undefined) return undefined;
  const chain = verdict?.string(NFTA_VERDICT_CHAIN) ?? '';
  switch (code | 0) {
    case VERDICT_CODES.jump:
      return { verdict: { kind: 'jump', chain } };
    case VERDICT_CODES.goto:
      return { verdict: { kind: 'goto', chain } };
    case VERDICT_CODES.drop:
      return { verdict: { kind: 'drop' } };
    case VERDICT_CODES.accept:
      return { verdict: { kind: 'accept' } };
    case VERDICT_CODES.return:
      return { verdict: { kind: 'return' } };
    default:
      throw new NetlinkFormatError(`netlink: an nft element with verdict ${code | 0}`);
  }
}

/** libnftnl's user data: records of a type, a length and a value. */
function decodeComment(bytes: Buffer | undefined): string | undefined {
  for (let at = 0; bytes !== undefined && at + 2 <= bytes.length; ) {
    const length = bytes.readUInt8(at + 1);
    if (bytes.readUInt8(at) === UDATA_COMMENT)
      return bytes.toString('utf8', at + 2, Math.min(bytes.length, at + 1 + length));
    at += 2 + length;
  }
  return undefined;
}
