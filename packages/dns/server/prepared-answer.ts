import type { Stamp } from '../records/epochs.ts';
import { type Inquiry, type Resolution, variantOf } from '../records/resolution.ts';
import { writeQuestion, writeRecord } from '../wire/encode.ts';
import { META_TYPES, RCODES, type ResourceRecord } from '../wire/index.ts';
import { MessageWriter } from '../wire/writer.ts';
import { HEADER_OCTETS, type RequestReader } from './request-reader.ts';

/** What we tell clients we can take, and the most we send over UDP: unfragmented on any path (DNS flag day 2020). */
export const UDP_PAYLOAD = 1232;
const OPT_OCTETS = 11;
/** A prime: with it turns reach every address, of however many. */
const FAR = 7919;
/** An answer may be longer than any message: of its addresses each client then gets others. 60,000 IPv4 addresses fit. */
const TAIL_OCTETS = 1_000_000;
const WRITER_OCTETS = TAIL_OCTETS + 0xffff;

/**
 * An answer as octets, made once and given to every client that asks the same: only the id, the question in the case
 * it was asked, the flags the client chose and the OPT record differ from one to the next.
 */
export interface PreparedAnswer {
  /**
   * The question in lower case and all that follows it, in one piece: at 10,000 names memory that is fetched for one
   * query is no longer in the processor's cache at the next, so the path of every packet follows few references. Owner
   * names point into the question, so they show the case it was asked in.
   */
  readonly octets: Uint8Array;
  readonly questionOctets: number;
  /** {@link variantOf} the question. */
  readonly variant: number;
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly authenticData: boolean;
  readonly answerCount: number;
  readonly authorityCount: number;
  readonly additionalCount: number;
  /** Where the additional records begin, behind the question: without those an answer is still whole (RFC 2181 section 9). */
  readonly additionalStart: number;
  /** Answers may be given in any order: all of one length, with one owner. */
  readonly rotates: boolean;
  /** It has a lifetime, in which its TTLs count down. */
  readonly ages: boolean;
  /** {@link Epochs.ended} when the stamp was last found current. */
  currentAt: number;
  readonly stamp: Stamp;
  /** Where each answer record ends, behind the question. */
  readonly answerEnds: Uint32Array;
  /** Where the TTLs stand, behind the question. */
  readonly ttlOffsets: Uint32Array;
  /** Monotonic milliseconds. */
  readonly preparedAt: number;
  readonly lifetimeMs: number;
}

/** `question` must be canonical: the octets are used for every case of it. */
export function prepareAnswer(question: Inquiry, resolution: Resolution, now: number): PreparedAnswer {
  const writer = new MessageWriter(WRITER_OCTETS);
  writer.bytes(new Uint8Array(HEADER_OCTETS));
  writeQuestion(writer, question);
  const start = writer.length;
  const ends: number[] = [];
  const ttls: number[] = [];
  const write = (records: readonly ResourceRecord[]): number => {
    let written = 0;
    for (const each of records) {
      const before = writer.length;
      if (before > TAIL_OCTETS) break;
      ttls.push(writeRecord(writer, each) - start);
      ends.push(writer.length - start);
      written++;
    }
    return written;
  };
  const answerCount = write(resolution.answers);
  const answerEnds = Uint32Array.from(ends);
  const authorityCount = write(resolution.authorities);
  const additionalStart = writer.length - start;
  const additionalCount = write(resolution.additionals);
  const first = resolution.answers[0];
  const rotates =
    answerCount > 1 &&
    resolution.answers.every(({ type, name }) => type === first?.type && name === first.name) &&
    (first?.type === 'A' || first?.type === 'AAAA');
  return {
    octets: writer.finish().slice(HEADER_OCTETS),
    questionOctets: start - HEADER_OCTETS,
    variant: variantOf(question),
    rcode: resolution.rcode,
    authoritative: resolution.authoritative,
    authenticData: resolution.authenticData === true,
    answerCount,
    authorityCount,
    additionalCount,
    additionalStart,
    rotates,
    ages: resolution.lifetimeMs !== undefined,
    currentAt: -1,
    answerEnds,
    ttlOffsets: Uint32Array.from(resolution.lifetimeMs === undefined ? [] : ttls),
    stamp: resolution.stamp,
    preparedAt: now,
    lifetimeMs: resolution.lifetimeMs ?? Number.POSITIVE_INFINITY,
  };
}

export interface RenderOptions {
  /** Most octets; what does not fit is cut at a record, with TC set. */
  readonly limit: number;
  /** Any number; the first answer is the one it falls on. */
  readonly turn: number;
  /** Monotonic milliseconds. */
  readonly now: number;
}

/** NXDOMAIN or NODATA. */
export function isDenial({ rcode, answerCount }: Pick<PreparedAnswer, 'rcode' | 'answerCount'>): boolean {
  return rcode === RCODES.NXDOMAIN || answerCount === 0;
}

/** Whether a reply was cut is told by its TC bit. */
export function isTruncated(reply: Uint8Array): boolean {
  return ((reply[2] ?? 0) & 0x02) !== 0;
}

/** Writes the message for one client to `out` and returns its length. */
export function renderAnswer(
  answer: PreparedAnswer,
  packet: Uint8Array,
  request: RequestReader,
  options: RenderOptions,
  out: Buffer,
): number {
  const { questionEnd } = request;
  const opt = request.edns ? OPT_OCTETS : 0;
  const room = options.limit - questionEnd - opt;
  const whole = answer.octets.length - answer.questionOctets;
  const allFits = whole <= room;
  const fits = allFits || answer.additionalStart <= room;
  const kept = fits ? answer.answerCount : answersThatFit(answer, room);
  const tailLength = allFits ? whole : fits ? answer.additionalStart : (answer.answerEnds[kept - 1] ?? 0);
  for (let i = 0; i < questionEnd; i++) out[i] = packet[i] ?? 0;
  // QR, opcode 0, AA, TC, RD as asked.
  out[2] = 0x80 | (answer.authoritative ? 0x04 : 0) | (fits ? 0 : 0x02) | ((packet[2] ?? 0) & 0x01);
  const asked = packet[3] ?? 0;
  // AD to those who ask for it with DO or AD (RFC 6840 section 5.8).
  const authentic = answer.authenticData && (request.dnssecOk || (asked & 0x20) !== 0);
  // RA (where there is no upstream, all there is is here), CD as asked (RFC 4035 section 3.1.6).
  out[3] = 0x80 | (authentic ? 0x20 : 0) | (asked & 0x10) | (answer.rcode & 0x0f);
  putUint16(out, 6, kept);
  putUint16(out, 8, fits ? answer.authorityCount : 0);
  putUint16(out, 10, (allFits ? answer.additionalCount : 0) + (opt > 0 ? 1 : 0));
  // Where only a part fits, turns are far apart, so that soon every part has been given.
  copyTail(answer, out, questionEnd, tailLength, fits ? options.turn : options.turn * FAR);
  if (answer.ages) ageTtls(answer, out, questionEnd, tailLength, options.now);
  if (opt > 0) writeOpt(out, questionEnd + tailLength, answer.rcode, request.dnssecOk);
  return questionEnd + tailLength + opt;
}

function answersThatFit(answer: PreparedAnswer, room: number): number {
  let kept = 0;
  while (kept < answer.answerCount && (answer.answerEnds[kept] ?? 0) <= room) kept++;
  return kept;
}

/** Copies what follows the question. */
function copyTail(answer: PreparedAnswer, out: Buffer, at: number, length: number, turn: number): void {
  const { octets, questionOctets } = answer;
  if (!answer.rotates) {
    copy(octets, questionOctets, questionOctets + length, out, at);
    return;
  }
  const size = answer.answerEnds[0] ?? 0;
  const all = size * answer.answerCount;
  const first = (turn % answer.answerCount) * size;
  const answers = Math.min(length, all);
  const head = Math.min(answers, all - first);
  copy(octets, questionOctets + first, questionOctets + first + head, out, at);
  copy(octets, questionOctets, questionOctets + answers - head, out, at + head);
  copy(octets, questionOctets + all, questionOctets + length, out, at + all);
}

/** A loop is faster than a view and set() for the sizes that most answers have. */
function copy(from: Uint8Array, start: number, end: number, out: Buffer, at: number): void {
  if (end - start > 256) out.set(from.subarray(start, end), at);
  else for (let i = start; i < end; i++) out[at + i - start] = from[i] ?? 0;
}

/** Counts the TTLs down by the time the answer has been kept; never below 1 while it is given out. */
function ageTtls(answer: PreparedAnswer, out: Buffer, at: number, length: number, now: number): void {
  const age = Math.floor((now - answer.preparedAt) / 1000);
  if (age <= 0) return;
  for (const offset of answer.ttlOffsets) {
    if (offset >= length) return;
    const left = Math.max(1, out.readUInt32BE(at + offset) - age);
    out.writeUInt32BE(left, at + offset);
  }
}

function writeOpt(out: Buffer, at: number, rcode: number, dnssecOk: boolean): void {
  out[at] = 0;
  putUint16(out, at + 1, META_TYPES.OPT);
  putUint16(out, at + 3, UDP_PAYLOAD);
  out[at + 5] = rcode >> 4;
  out[at + 6] = 0;
  // The DO bit goes back as it came (RFC 3225 section 3).
  putUint16(out, at + 7, dnssecOk ? 0x8000 : 0);
  putUint16(out, at + 9, 0);
}

function putUint16(out: Buffer, at: number, value: number): void {
  out[at] = value >> 8;
  out[at + 1] = value & 0xff;
}

/** Writes a reply without an answer to a packet that is no answerable query: header, the question if it was read, RCODE. */
export function renderRefusal(packet: Uint8Array, request: RequestReader, out: Buffer): number {
  const { questionEnd, rcode } = request;
  for (let i = 0; i < questionEnd; i++) out[i] = packet[i] ?? 0;
  out[2] = 0x80 | ((packet[2] ?? 0) & 0x79);
  out[3] = rcode & 0x0f;
  putUint16(out, 4, questionEnd > HEADER_OCTETS ? 1 : 0);
  putUint16(out, 6, 0);
  putUint16(out, 8, 0);
  putUint16(out, 10, rcode > 15 ? 1 : 0);
  if (rcode > 15) writeOpt(out, questionEnd, rcode, false);
  return questionEnd + (rcode > 15 ? OPT_OCTETS : 0);
}

/** What to answer when an answer cannot be made. */
export function failure(rcode: number = RCODES.SERVFAIL): Resolution {
  return {
    rcode,
    authoritative: false,
    answers: [],
    authorities: [],
    additionals: [],
    stamp: [],
    lifetimeMs: 0,
  };
}
