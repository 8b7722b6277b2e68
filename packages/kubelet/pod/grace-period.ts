import type { Pod } from '#kube-api';
import type { Clock } from '#runtime';

/** The reason of a deadline that leaves no time at all. */
export const FORCED = Symbol('forced');

const DEFAULT_SECONDS = 30;

/** The time that a Pod's containers have for their end: as its deletion says, else as the Pod itself does. Milliseconds. */
export function graceMs({ metadata, spec }: Pod): number {
  const seconds = metadata?.deletionGracePeriodSeconds ?? spec?.terminationGracePeriodSeconds;
  return 1000 * (seconds ?? DEFAULT_SECONDS);
}

/** The time that a Pod has for its end. Asking again may change it; once it is over, it is. */
export class GracePeriod implements Disposable {
  readonly #clock: Clock;
  readonly #over = new AbortController();
  #timer: Disposable | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Aborted when it is over: what still runs gets SIGKILL. The reason is FORCED when there was no time at all. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /**
   * @param graceMs milliseconds from now, at most
   * @param deletionTimestamp of the Pod (RFC 3339): one grace period after it was asked to go
   */
  begin(graceMs: number, deletionTimestamp: string | undefined): void {
    const due = deletionTimestamp === undefined ? graceMs : Date.parse(deletionTimestamp) - this.#clock.now();
    // The timestamp is in whole seconds, so it may be up to one too early.
    const ms = Math.max(0, Math.min(graceMs, due + 1000));
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.setTimer(ms, () => this.#over.abort(graceMs === 0 ? FORCED : undefined));
  }

  /** No time is left. */
  cutOff(): void {
    this.#over.abort(FORCED);
  }

  /** Over now, for those who still wait. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#over.abort();
  }
}
