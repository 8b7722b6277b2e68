import { META_TYPES, OPCODE_QUERY, RCODES } from '../wire/index.ts';

/** Octets of the header, RFC 1035 section 4.1.1. */
export const HEADER_OCTETS = 12;

/** A query as far as answering needs it, read without making a message of it. */
export interface Request {
  readonly packet: Uint8Array;
  /** Where the question ends: its name begins at octet 12. */
  readonly questionEnd: number;
  /** The name's labels in lower case, wire form, then type and class: equal questions are equal strings. */
  readonly key: string;
  readonly typeCode: number;
  readonly class: number;
  readonly edns: boolean;
  readonly dnssecOk: boolean;
  /** What the client can take over UDP: 512 without EDNS, never less. */
  readonly payloadSize: number;
}

/** How a packet is not a query that can be answered: an RCODE to send back, or nothing at all. */
export type Refusal = { readonly rcode: number; readonly questionEnd: number } | 'drop';

/**
 * Reads a query. Responses and scraps are dropped (answering them would make loops); what is a query but not one of a
 * single plain question gets FORMERR or NOTIMP, an EDNS version above 0 gets BADVERS (RFC 6891 section 6.1.3).
 */
export function readRequest(packet: Uint8Array): Request | Refusal {
  const length = packet.length;
  if (length < HEADER_OCTETS) return 'drop';
  const flags = octet(packet, 2);
  if ((flags & 0x80) !== 0) return 'drop';
  if (((flags >> 3) & 0xf) !== OPCODE_QUERY) return refuse(RCODES.NOTIMP);
  if (uint16(packet, 4) !== 1 || uint16(packet, 6) !== 0 || uint16(packet, 8) !== 0)
    return refuse(RCODES.FORMERR);

  let at = HEADER_OCTETS;
  for (;;) {
    const label = packet[at];
    // A pointer in the only question could lead nowhere but into the header.
    if (label === undefined || label > 63) return refuse(RCODES.FORMERR);
    at += label + 1;
    if (label === 0) break;
    if (at - HEADER_OCTETS > 254) return refuse(RCODES.FORMERR);
  }
  const questionEnd = at + 4;
  if (questionEnd > length) return refuse(RCODES.FORMERR);

  const edns = readEdns(packet, questionEnd);
  if (edns === 'malformed') return { rcode: RCODES.FORMERR, questionEnd };
  if (edns.version !== 0) return { rcode: RCODES.BADVERS, questionEnd };
  return {
    packet,
    questionEnd,
    key: lowerKey(packet, questionEnd),
    typeCode: uint16(packet, at),
    class: uint16(packet, at + 2),
    edns: edns.present,
    dnssecOk: edns.dnssecOk,
    payloadSize: Math.max(512, edns.payloadSize),
  };
}

interface EdnsFields {
  readonly present: boolean;
  readonly version: number;
  readonly dnssecOk: boolean;
  readonly payloadSize: number;
}

const NO_EDNS: EdnsFields = { present: false, version: 0, dnssecOk: false, payloadSize: 512 };

/** Only additional records can follow the question: at most an OPT and what a client may sign with (passed over). */
function readEdns(packet: Uint8Array, start: number): EdnsFields | 'malformed' {
  let found = NO_EDNS;
  let at = start;
  for (let left = uint16(packet, 10); left > 0; left--) {
    const nameAt = at;
    for (;;) {
      const label = packet[at];
      if (label === undefined || (label > 63 && label < 0xc0)) return 'malformed';
      at += label >= 0xc0 ? 2 : label + 1;
      if (label === 0 || label >= 0xc0) break;
    }
    const fixed = at;
    at += 10;
    if (at > packet.length) return 'malformed';
    at += uint16(packet, fixed + 8);
    if (at > packet.length) return 'malformed';
    if (uint16(packet, fixed) !== META_TYPES.OPT) continue;
    if (found.present || packet[nameAt] !== 0) return 'malformed';
    found = {
      present: true,
      payloadSize: uint16(packet, fixed + 2),
      version: octet(packet, fixed + 5),
      dnssecOk: (octet(packet, fixed + 6) & 0x80) !== 0,
    };
  }
  return at === packet.length ? found : 'malformed';
}

/** The octets of the question as one string, ASCII letters of the name in lower case (RFC 4343). */
function lowerKey(packet: Uint8Array, end: number): string {
  const nameEnd = end - 4;
  let key = '';
  for (let i = HEADER_OCTETS; i < end; i++) {
    const value = octet(packet, i);
    key += String.fromCharCode(value > 0x40 && value < 0x5b && i < nameEnd ? value | 0x20 : value);
  }
  return key;
}

function refuse(rcode: number): Refusal {
  return { rcode, questionEnd: HEADER_OCTETS };
}

function octet(packet: Uint8Array, at: number): number {
  return packet[at] ?? 0;
}

function uint16(packet: Uint8Array, at: number): number {
  return (octet(packet, at) << 8) | octet(packet, at + 1);
}
