import { type Clock, type RetryDelays, retryDelay } from '#runtime';

/** When something that failed is due to be tried again: ever more rarely, until it works. */
export class Attempts {
  readonly #clock: Clock;
  readonly #delays: RetryDelays;
  #failures = 0;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, delays: RetryDelays) {
    this.#clock = clock;
    this.#delays = delays;
  }

  /** Milliseconds until the next attempt is due; 0: now. */
  remainingMs(): number {
    return Math.max(0, this.#dueAt - this.#clock.monotonic());
  }

  /** @returns milliseconds until the next attempt */
  failed(): number {
    const ms = retryDelay(++this.#failures, this.#delays);
    this.#dueAt = this.#clock.monotonic() + ms;
    return ms;
  }
}
