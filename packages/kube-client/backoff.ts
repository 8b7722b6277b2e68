import { type Random, type RetryDelays, retryDelay } from '#runtime';

/** Delays that double from the first to the largest, each drawn from its upper half so that clients spread out. */
export class Backoff {
  readonly #random: Random;
  readonly #delays: RetryDelays;
  #failures = 0;

  constructor(random: Random, delays: RetryDelays) {
    this.#random = random;
    this.#delays = delays;
  }

  /** Milliseconds to wait after one more failure. */
  next(): number {
    return retryDelay(++this.#failures, this.#delays) * (0.5 + this.#random.next() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
