import type { PreparedAnswer } from './prepared-answer.ts';

/** The questions that wait for an answer from elsewhere; whoever asks the same again waits with the first. */
export class PendingAnswers {
  readonly #most: number;
  readonly #answers = new Map<string, Promise<PreparedAnswer>>();
  /** How many of these questions each client asked first. */
  readonly #waiting = new Map<string, number>();

  /** @param most how many questions may wait at one time */
  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): Promise<PreparedAnswer> | undefined {
    return this.#answers.get(key);
  }

  /** One client's questions may take a quarter of the places, so that there are some left for others. */
  mayWait(client: string): boolean {
    return this.#answers.size < this.#most && (this.#waiting.get(client) ?? 0) < this.#most / 4;
  }

  /** @param made must not reject @returns what `made` resolves to */
  add(key: string, client: string, made: Promise<PreparedAnswer>): Promise<PreparedAnswer> {
    const answer = made.then((prepared) => {
      this.#answers.delete(key);
      this.#count(client, -1);
      return prepared;
    });
    this.#answers.set(key, answer);
    this.#count(client, 1);
    return answer;
  }

  #count(client: string, by: number): void {
    const count = (this.#waiting.get(client) ?? 0) + by;
    if (count === 0) this.#waiting.delete(client);
    else this.#waiting.set(client, count);
  }
}
