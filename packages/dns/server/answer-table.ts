import type { PreparedAnswer } from './prepared-answer.ts';
import { HEADER_OCTETS, lower, type RequestReader } from './request-reader.ts';

interface Entry {
  /** The question's octets, its name in lower case. */
  readonly question: Uint8Array;
  readonly answer: PreparedAnswer;
}

/**
 * Prepared answers by the octets of their question. Two questions of one hash displace each other: a client that
 * seeks them out makes answers be made again, and nothing more.
 */
export class AnswerTable {
  readonly #entries = new Map<number, Entry>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(packet: Uint8Array, request: RequestReader): PreparedAnswer | undefined {
    const entry = this.#entries.get(request.hash);
    if (entry === undefined) return undefined;
    const { question } = entry;
    const { questionEnd } = request;
    if (question.length !== questionEnd - HEADER_OCTETS) return undefined;
    const nameEnd = questionEnd - 4;
    for (let i = HEADER_OCTETS; i < nameEnd; i++)
      if (lower(packet[i] ?? 0) !== question[i - HEADER_OCTETS]) return undefined;
    for (let i = nameEnd; i < questionEnd; i++)
      if (packet[i] !== question[i - HEADER_OCTETS]) return undefined;
    return entry.answer;
  }

  /** `packet` must begin with the request's header and question. */
  set(packet: Uint8Array, hash: number, questionEnd: number, answer: PreparedAnswer): void {
    const question = Uint8Array.prototype.slice.call(packet, HEADER_OCTETS, questionEnd);
    for (let i = 0; i < question.length - 4; i++) question[i] = lower(question[i] ?? 0);
    this.#entries.delete(hash);
    this.#entries.set(hash, { question, answer });
    if (this.#entries.size <= this.#capacity) return;
    // The oldest goes: what is asked for often is soon made again.
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  delete(hash: number): void {
    this.#entries.delete(hash);
  }
}
