import type { PreparedAnswer } from './prepared-answer.ts';
import { HEADER_OCTETS, lower, type RequestReader } from './request-reader.ts';

/**
 * Prepared answers by the hash of their question. Two questions of one hash displace each other: a client that seeks
 * them out makes answers be made again, and nothing more.
 */
export class AnswerTable {
  readonly #answers = new Map<number, PreparedAnswer>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#answers.size;
  }

  get(packet: Uint8Array, request: RequestReader): PreparedAnswer | undefined {
    const answer = this.#answers.get(request.hash);
    if (answer === undefined) return undefined;
    const { octets } = answer;
    const nameEnd = request.questionEnd - 4;
    if (answer.questionOctets !== request.questionEnd - HEADER_OCTETS || answer.variant !== request.variant)
      return undefined;
    for (let i = HEADER_OCTETS; i < nameEnd; i++) {
      const asked = packet[i] ?? 0;
      const kept = octets[i - HEADER_OCTETS];
      // Most are asked in lower case.
      if (asked !== kept && lower(asked) !== kept) return undefined;
    }
    for (let i = nameEnd; i < request.questionEnd; i++)
      if (packet[i] !== octets[i - HEADER_OCTETS]) return undefined;
    return answer;
  }

  set(hash: number, answer: PreparedAnswer): void {
    this.#answers.delete(hash);
    this.#answers.set(hash, answer);
    if (this.#answers.size <= this.#capacity) return;
    // The oldest goes: what is asked for often is soon made again.
    for (const oldest of this.#answers.keys()) {
      this.#answers.delete(oldest);
      return;
    }
  }

  delete(hash: number): void {
    this.#answers.delete(hash);
  }
}
