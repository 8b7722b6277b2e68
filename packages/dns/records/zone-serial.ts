import type { Clock } from '#runtime';
import type { Epochs } from './epochs.ts';

/**
 * The SOA serial of a zone that may be transferred: grows with the first question after a change, and is that question's
 * second, or one more than the last (RFC 1912 section 2.2 has seconds as one way). So it needs no memory to be higher
 * after a restart.
 */
export class ZoneSerial {
  readonly #epochs: Epochs;
  readonly #clock: Clock;
  #serial = 0;
  #ended = -1;

  constructor(epochs: Epochs, clock: Clock) {
    this.#epochs = epochs;
    this.#clock = clock;
  }

  /** 32 bits, to be compared as RFC 1982 has it. */
  get current(): number {
    if (this.#ended !== this.#epochs.ended) {
      this.#ended = this.#epochs.ended;
      this.#serial = Math.max(this.#serial + 1, Math.floor(this.#clock.now() / 1000));
    }
    return this.#serial >>> 0;
  }
}
