import { familyOf, ipFromBytes, ipToBytes } from '#ip';
import { RECORD_TYPES } from './codes.ts';
import { WireError } from './errors.ts';
import type { RecordData } from './message.ts';
import { nameToWire } from './name.ts';
import type { MessageReader } from './reader.ts';
import type { MessageWriter } from './writer.ts';

const latin1 = new TextDecoder('latin1');

/** The numeric type of record data. */
export function typeCodeOf(data: RecordData): number {
  return data.type === 'unknown' ? data.typeCode : RECORD_TYPES[data.type];
}

/** Writes RDATA without its length. @throws WireError */
export function writeRecordData(writer: MessageWriter, data: RecordData): void {
  switch (data.type) {
    case 'A':
    case 'AAAA':
      if ((familyOf(data.address) === 'IPv4') !== (data.type === 'A'))
        throw new WireError('bad-data', `${data.address} does not fit type ${data.type}`);
      writer.bytes(ipToBytes(data.address));
      break;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      writer.name(data.target);
      break;
    case 'MX':
      writer.uint16(data.preference);
      writer.name(data.target);
      break;
    case 'SRV':
      writer.uint16(data.priority);
      writer.uint16(data.weight);
      writer.uint16(data.port);
      writer.name(data.target, false);
      break;
    case 'SOA':
      writer.name(data.primary);
      writer.name(data.mailbox);
      for (const value of [data.serial, data.refresh, data.retry, data.expire, data.minimum])
        writer.uint32(value);
      break;
    case 'TXT':
      if (data.strings.length === 0) throw new WireError('bad-data', 'TXT needs at least one string');
      for (const text of data.strings) writeCharacterString(writer, text);
      break;
    case 'HINFO':
      writeCharacterString(writer, Buffer.from(data.cpu, 'latin1'));
      writeCharacterString(writer, Buffer.from(data.os, 'latin1'));
      break;
    case 'unknown':
      writer.bytes(data.data);
      break;
  }
}

function writeCharacterString(writer: MessageWriter, text: Uint8Array): void {
  if (text.length > 255) throw new WireError('bad-data', 'a character-string is over 255 octets');
  writer.uint8(text.length);
  writer.bytes(text);
}

/** Reads RDATA of `length` octets; all of them must be used. @throws WireError */
export function readRecordData(reader: MessageReader, typeCode: number, length: number): RecordData {
  const start = reader.offset;
  const end = start + length;
  if (length > reader.remaining) throw new WireError('truncated', 'record data is cut off', start);
  const data = readShaped(reader, typeCode, end);
  if (reader.offset !== end)
    throw new WireError('bad-data', `data of type ${typeCode} does not fill its ${length} octets`, start);
  return data;
}

function readShaped(reader: MessageReader, typeCode: number, end: number): RecordData {
  switch (typeCode) {
    case RECORD_TYPES.A:
      return { type: 'A', address: ipFromBytes(reader.octets(4)) };
    case RECORD_TYPES.AAAA:
      return { type: 'AAAA', address: ipFromBytes(reader.octets(16)) };
    case RECORD_TYPES.NS:
      return { type: 'NS', target: reader.name() };
    case RECORD_TYPES.CNAME:
      return { type: 'CNAME', target: reader.name() };
    case RECORD_TYPES.PTR:
      return { type: 'PTR', target: reader.name() };
    case RECORD_TYPES.MX:
      return { type: 'MX', preference: reader.uint16(), target: reader.name() };
    case RECORD_TYPES.SRV:
      return {
        type: 'SRV',
        priority: reader.uint16(),
        weight: reader.uint16(),
        port: reader.uint16(),
        target: reader.name(),
      };
    case RECORD_TYPES.SOA:
      return {
        type: 'SOA',
        primary: reader.name(),
        mailbox: reader.name(),
        serial: reader.uint32(),
        refresh: reader.uint32(),
        retry: reader.uint32(),
        expire: reader.uint32(),
        minimum: reader.uint32(),
      };
    case RECORD_TYPES.TXT: {
      const strings = [reader.characterString()];
      while (reader.offset < end) strings.push(reader.characterString());
      return { type: 'TXT', strings };
    }
    case RECORD_TYPES.HINFO:
      return {
        type: 'HINFO',
        cpu: latin1.decode(reader.characterString()),
        os: latin1.decode(reader.characterString()),
      };
    default:
      return { type: 'unknown', typeCode, data: readExpanded(reader, typeCode, end) };
  }
}

/**
 * Types of RFC 1035 and 1183 (and RFC 2163, 2230, 3403, 6672) whose names a sender may have compressed (RFC 3597
 * section 4): octets before the names, and how many names follow.
 */
const EMBEDDED_NAMES: ReadonlyMap<number, readonly [prefix: number, names: number]> = new Map([
  [3, [0, 1]], // MD
  [4, [0, 1]], // MF
  [7, [0, 1]], // MB
  [8, [0, 1]], // MG
  [9, [0, 1]], // MR
  [14, [0, 2]], // MINFO
  [17, [0, 2]], // RP
  [18, [2, 1]], // AFSDB
  [21, [2, 1]], // RT
  [26, [2, 2]], // PX
  [36, [2, 1]], // KX
  [39, [0, 1]], // DNAME
]);

/** Octets as they would stand without compression, so that they may move to another message. */
function readExpanded(reader: MessageReader, typeCode: number, end: number): Uint8Array {
  const layout = EMBEDDED_NAMES.get(typeCode);
  if (layout === undefined) return reader.octets(end - reader.offset);
  const [prefix, names] = layout;
  const parts = [reader.octets(prefix)];
  for (let i = 0; i < names; i++) parts.push(nameToWire(reader.name()));
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}
