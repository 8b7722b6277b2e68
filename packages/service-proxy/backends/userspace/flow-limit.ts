import type { Clock } from '#runtime';

/** A UDP flow may be silent for so long: what conntrack gives one that was answered a single time. */
const IDLE_MS = 30_000;
/** Of all frontends together: each takes a socket. */
const MAX_FLOWS = 8_192;

export interface Flow {
  end(): void;
}

/** Ends flows that are idle, and the longest unused one when there would be too many. */
export class FlowLimit implements Disposable {
  readonly #clock: Clock;
  readonly #max: number;
  /** With the time of their last packet, monotonic milliseconds, the oldest first. */
  readonly #flows = new Map<Flow, number>();
  #timer: Disposable | undefined;

  constructor(clock: Clock, max = MAX_FLOWS) {
    this.#clock = clock;
    this.#max = max;
  }

  get size(): number {
    return this.#flows.size;
  }

  /** A packet of a flow, be it the first. */
  touch(flow: Flow): void {
    if (!this.#flows.delete(flow) && this.#flows.size >= this.#max)
      for (const oldest of this.#flows.keys()) {
        oldest.end();
        break;
      }
    this.#flows.set(flow, this.#clock.monotonic());
    this.#timer ??= this.#clock.setTimer(IDLE_MS, () => this.#sweep(), { unref: true });
  }

  /** The flow has ended. */
  forget(flow: Flow): void {
    this.#flows.delete(flow);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (const [flow, last] of this.#flows) {
      const left = last + IDLE_MS - now;
      if (left > 0) {
        this.#timer = this.#clock.setTimer(left, () => this.#sweep(), { unref: true });
        return;
      }
      flow.end();
    }
  }
}
