import { META_TYPES } from './codes.ts';
import { WireError } from './errors.ts';
import type { Edns, Message, Question, ResourceRecord } from './message.ts';
import { typeCodeOf, writeRecordData } from './record-data.ts';
import { MessageWriter } from './writer.ts';

interface EncodeOptions {
  /** Most octets; 65535 when absent. What does not fit is an error: truncating is the server's decision. */
  readonly limit?: number;
}

/** A message's octets, names compressed. @throws WireError */
export function encodeMessage(message: Message, options: EncodeOptions = {}): Uint8Array {
  if (message.rcode > 15 && message.edns === undefined)
    throw new WireError('bad-edns', `rcode ${message.rcode} needs EDNS`);
  const writer = new MessageWriter(options.limit);
  writer.uint16(message.id);
  writer.uint16(flagBits(message));
  writer.uint16(message.questions.length);
  writer.uint16(message.answers.length);
  writer.uint16(message.authorities.length);
  writer.uint16(message.additionals.length + (message.edns === undefined ? 0 : 1));
  for (const question of message.questions) writeQuestion(writer, question);
  for (const section of [message.answers, message.authorities, message.additionals])
    for (const record of section) writeRecord(writer, record);
  if (message.edns !== undefined) writeEdns(writer, message.edns, message.rcode);
  return writer.finish();
}

/** The second word of the header, RFC 1035 section 4.1.1, RFC 2535 section 6.1. */
function flagBits(message: Message): number {
  return (
    (message.response ? 0x8000 : 0) |
    ((message.opcode & 0xf) << 11) |
    (message.authoritative ? 0x0400 : 0) |
    (message.truncated ? 0x0200 : 0) |
    (message.recursionDesired ? 0x0100 : 0) |
    (message.recursionAvailable ? 0x0080 : 0) |
    (message.authenticData ? 0x0020 : 0) |
    (message.checkingDisabled ? 0x0010 : 0) |
    (message.rcode & 0xf)
  );
}

export function writeQuestion(writer: MessageWriter, question: Question): void {
  writer.name(question.name);
  writer.uint16(question.typeCode);
  writer.uint16(question.class);
}

/** Returns where in the message the record's TTL stands. */
export function writeRecord(writer: MessageWriter, record: ResourceRecord): number {
  writer.name(record.name);
  writer.uint16(typeCodeOf(record));
  writer.uint16(record.class);
  const ttlAt = writer.length;
  writer.uint32(record.ttl);
  const lengthAt = writer.length;
  writer.uint16(0);
  writeRecordData(writer, record);
  writer.patchUint16(lengthAt, writer.length - lengthAt - 2);
  return ttlAt;
}

export function writeEdns(writer: MessageWriter, edns: Edns, rcode: number): void {
  writer.uint8(0);
  writer.uint16(META_TYPES.OPT);
  writer.uint16(edns.udpPayloadSize);
  writer.uint8(rcode >> 4);
  writer.uint8(edns.version);
  writer.uint16(edns.dnssecOk ? 0x8000 : 0);
  writer.uint16(edns.options.reduce((sum, option) => sum + 4 + option.data.length, 0));
  for (const { optionCode, data } of edns.options) {
    writer.uint16(optionCode);
    writer.uint16(data.length);
    writer.bytes(data);
  }
}
