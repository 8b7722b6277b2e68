import type { Clock } from '#runtime';

const FIRST_MS = 10_000;
const MAX_MS = 300_000;
/** A container that ran so long starts again without delay. */
const RESET_MS = 2 * MAX_MS;

/**
 * How long to wait before a restart, as CrashLoopBackOff: the first at once, then 10 s after the end, doubling to
 * 5 minutes, and forgotten after 10 minutes of running.
 */
export class CrashBackoff {
  readonly #clock: Clock;
  #delay = 0;
  #startedAt = 0;
  #endedAt = 0;
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  started(): void {
    this.#startedAt = this.#clock.monotonic();
  }

  /** The container ended, or could not be started. */
  ended(): void {
    this.#endedAt = this.#clock.monotonic();
    if (this.#endedAt - this.#startedAt >= RESET_MS) this.#delay = 0;
  }

  /** The delay in force. Milliseconds. */
  get delayMs(): number {
    return this.#delay;
  }

  /** Milliseconds until the next start is due. */
  remainingMs(): number {
    return Math.max(0, this.#endedAt + this.#delay - this.#clock.monotonic());
  }

  /** Called when a restart is made. */
  next(): void {
    this.#delay = this.#delay === 0 ? FIRST_MS : Math.min(MAX_MS, 2 * this.#delay);
  }
}
