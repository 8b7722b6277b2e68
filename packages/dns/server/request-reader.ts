import { variantOf } from '../records/resolution.ts';
import { META_TYPES, OPCODE_QUERY, RCODES } from '../wire/index.ts';

/** Octets of the header, RFC 1035 section 4.1.1. */
export const HEADER_OCTETS = 12;

/** `query`: can be answered. `refuse`: gets `rcode` back. `drop`: gets nothing. */
export type Verdict = 'query' | 'refuse' | 'drop';

/**
 * Reads queries as far as answering needs them, without making objects: one reader serves every packet, and its fields
 * tell of the last one. This is the path of every packet, so it is written for speed.
 */
export class RequestReader {
  /** Where the question ends; the header's end when there is none to give back. */
  questionEnd = HEADER_OCTETS;
  /** Of the question and its variant, whatever the case of its name: 31 bits. */
  hash = 0;
  typeCode = 0;
  class = 0;
  recursionDesired = false;
  edns = false;
  dnssecOk = false;
  checkingDisabled = false;
  /** {@link variantOf} the query. */
  variant = 0;
  /** What the client can take over UDP: 512 without EDNS, never less. */
  payloadSize = 512;
  /** When refused. */
  rcode = 0;

  /**
   * Responses and scraps are dropped (answering them would make loops); what is a query but not one of a single plain
   * question gets FORMERR or NOTIMP, an EDNS version above 0 BADVERS (RFC 6891 section 6.1.3).
   */
  read(packet: Uint8Array, length: number): Verdict {
    if (length < HEADER_OCTETS) return 'drop';
    const flags = packet[2] ?? 0;
    if ((flags & 0x80) !== 0) return 'drop';
    this.questionEnd = HEADER_OCTETS;
    this.edns = false;
    this.dnssecOk = false;
    this.payloadSize = 512;
    this.recursionDesired = (flags & 1) !== 0;
    this.checkingDisabled = ((packet[3] ?? 0) & 0x10) !== 0;
    if (((flags >> 3) & 0xf) !== OPCODE_QUERY) return this.#refuse(RCODES.NOTIMP);
    const authorities = uint16(packet, 8);
    if (uint16(packet, 4) !== 1 || uint16(packet, 6) !== 0 || authorities > 1)
      return this.#refuse(RCODES.FORMERR);

    let hash = 0x811c9dc5;
    let at = HEADER_OCTETS;
    for (;;) {
      const label = packet[at] ?? 0;
      // A pointer in the first question could lead nowhere but into the header.
      if (at >= length || label > 63) return this.#refuse(RCODES.FORMERR);
      const end = at + label + 1;
      // With this bit set letters of both cases are one, and so are a few other octets, which costs a hash nothing.
      for (; at < end; at++) hash = Math.imul(hash ^ ((packet[at] ?? 0) | 0x20), 0x01000193);
      if (label === 0) break;
      if (at - HEADER_OCTETS > 254) return this.#refuse(RCODES.FORMERR);
    }
    if (at + 4 > length) return this.#refuse(RCODES.FORMERR);
    this.typeCode = uint16(packet, at);
    this.class = uint16(packet, at + 2);
    this.questionEnd = at + 4;
    // RFC 1995 section 3: who asks for IXFR sends the SOA of what it has.
    if (authorities === 1 && this.typeCode !== META_TYPES.IXFR) return this.#refuse(RCODES.FORMERR);
    const others = authorities + uint16(packet, 10);
    const verdict =
      others === 0 && this.questionEnd === length ? 'query' : this.#readOthers(packet, length, others);
    this.variant = variantOf(this);
    hash = Math.imul(hash ^ this.typeCode, 0x01000193) ^ this.class;
    this.hash = Math.imul(hash ^ this.variant, 0x01000193) >>> 1;
    return verdict;
  }

  /** At most an OPT, and what is passed over: what a client may sign with, and the SOA of an IXFR. */
  #readOthers(packet: Uint8Array, length: number, records: number): Verdict {
    let at = this.questionEnd;
    for (let left = records; left > 0; left--) {
      const nameAt = at;
      for (;;) {
        const label = packet[at];
        if (label === undefined || at >= length || (label > 63 && label < 0xc0))
          return this.#refuse(RCODES.FORMERR);
        at += label >= 0xc0 ? 2 : label + 1;
        if (label === 0 || label >= 0xc0) break;
      }
      const fixed = at;
      if (fixed + 10 > length) return this.#refuse(RCODES.FORMERR);
      at = fixed + 10 + uint16(packet, fixed + 8);
      if (at > length) return this.#refuse(RCODES.FORMERR);
      if (uint16(packet, fixed) !== META_TYPES.OPT) continue;
      if (this.edns || packet[nameAt] !== 0) return this.#refuse(RCODES.FORMERR);
      this.edns = true;
      this.payloadSize = Math.max(512, uint16(packet, fixed + 2));
      this.dnssecOk = ((packet[fixed + 6] ?? 0) & 0x80) !== 0;
      if (packet[fixed + 5] !== 0) return this.#refuse(RCODES.BADVERS);
    }
    return at === length ? 'query' : this.#refuse(RCODES.FORMERR);
  }

  #refuse(rcode: number): Verdict {
    this.rcode = rcode;
    return 'refuse';
  }
}

/** ASCII letters alone have case (RFC 4343); no length octet is one, for those end at 63. */
export function lower(octet: number): number {
  return octet > 0x40 && octet < 0x5b ? octet | 0x20 : octet;
}

function uint16(packet: Uint8Array, at: number): number {
  return ((packet[at] ?? 0) << 8) | (packet[at + 1] ?? 0);
}
