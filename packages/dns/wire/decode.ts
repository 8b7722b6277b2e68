import { META_TYPES } from './codes.ts';
import { WireError } from './errors.ts';
import type { Edns, EdnsOption, Message, Question, ResourceRecord } from './message.ts';
import { MessageReader } from './reader.ts';
import { readRecordData } from './record-data.ts';

/** Reads a whole message; octets after it are an error. @throws WireError, and nothing else, whatever the octets */
export function decodeMessage(bytes: Uint8Array): Message {
  const reader = new MessageReader(bytes);
  const id = reader.uint16();
  const flags = reader.uint16();
  const counts = [reader.uint16(), reader.uint16(), reader.uint16(), reader.uint16()] as const;
  const questions: Question[] = [];
  for (let i = 0; i < counts[0]; i++) questions.push(readQuestion(reader));
  const sections = new SectionReader(reader);
  const answers = sections.read(counts[1], 'answer');
  const authorities = sections.read(counts[2], 'authority');
  const additionals = sections.read(counts[3], 'additional');
  if (reader.remaining > 0)
    throw new WireError('bad-data', `${reader.remaining} octets follow the message`, reader.offset);
  return {
    id,
    response: (flags & 0x8000) !== 0,
    opcode: (flags >> 11) & 0xf,
    authoritative: (flags & 0x0400) !== 0,
    truncated: (flags & 0x0200) !== 0,
    recursionDesired: (flags & 0x0100) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    authenticData: (flags & 0x0020) !== 0,
    checkingDisabled: (flags & 0x0010) !== 0,
    rcode: (sections.extendedRcode << 4) | (flags & 0xf),
    questions,
    answers,
    authorities,
    additionals,
    edns: sections.edns,
  };
}

function readQuestion(reader: MessageReader): Question {
  return { name: reader.name(), typeCode: reader.uint16(), class: reader.uint16() };
}

class SectionReader {
  readonly #reader: MessageReader;
  edns: Edns | undefined;
  extendedRcode = 0;

  constructor(reader: MessageReader) {
    this.#reader = reader;
  }

  read(count: number, section: 'answer' | 'authority' | 'additional'): readonly ResourceRecord[] {
    const records: ResourceRecord[] = [];
    for (let i = 0; i < count; i++) {
      const record = this.#record(section);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  #record(section: string): ResourceRecord | undefined {
    const reader = this.#reader;
    const start = reader.offset;
    const name = reader.name();
    const typeCode = reader.uint16();
    const klass = reader.uint16();
    const ttl = reader.uint32();
    const length = reader.uint16();
    if (typeCode === META_TYPES.OPT) {
      if (section !== 'additional' || name !== '.' || this.edns !== undefined)
        throw new WireError('bad-edns', 'an OPT record is out of place', start);
      this.extendedRcode = ttl >>> 24;
      this.edns = {
        udpPayloadSize: klass,
        version: (ttl >>> 16) & 0xff,
        dnssecOk: (ttl & 0x8000) !== 0,
        options: readOptions(reader, length),
      };
      return undefined;
    }
    // RFC 2181 section 8: a TTL with the highest bit set is zero.
    return {
      name,
      class: klass,
      ttl: ttl > 0x7fffffff ? 0 : ttl,
      ...readRecordData(reader, typeCode, length),
    };
  }
}

function readOptions(reader: MessageReader, length: number): readonly EdnsOption[] {
  const end = reader.offset + length;
  const options: EdnsOption[] = [];
  while (reader.offset < end)
    options.push({ optionCode: reader.uint16(), data: reader.octets(reader.uint16()) });
  if (reader.offset !== end) throw new WireError('bad-edns', 'options do not fill the OPT record', end);
  return options;
}
