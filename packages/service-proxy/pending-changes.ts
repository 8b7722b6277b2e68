import type { Clock } from '#runtime';

/** Changes of the cluster that are not in the kernel yet. */
export interface Pending {
  readonly services: number;
  readonly endpointSlices: number;
  /** When the Pods of slices changed, milliseconds since the epoch. */
  readonly triggerTimes: readonly number[];
  /** When the oldest came, clock milliseconds; undefined: there is none. */
  readonly since: number | undefined;
}

/** Collects changes; a run takes them and, when it fails, gives them back. */
export class PendingChanges {
  readonly #clock: Clock;
  #services = 0;
  #endpointSlices = 0;
  #triggerTimes: number[] = [];
  #since: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get now(): Pending {
    return {
      services: this.#services,
      endpointSlices: this.#endpointSlices,
      triggerTimes: this.#triggerTimes,
      since: this.#since,
    };
  }

  /** Thousands come at once: each costs next to nothing. */
  addService(): void {
    this.#services++;
    this.#since ??= this.#clock.now();
  }

  addEndpointSlice(triggerTimes: readonly number[]): void {
    this.#endpointSlices++;
    this.#triggerTimes.push(...triggerTimes);
    this.#since ??= this.#clock.now();
  }

  take(): Pending {
    const taken = this.now;
    this.#services = 0;
    this.#endpointSlices = 0;
    this.#triggerTimes = [];
    this.#since = undefined;
    return taken;
  }

  /** What was taken first came first. */
  giveBack(earlier: Pending): void {
    this.#services += earlier.services;
    this.#endpointSlices += earlier.endpointSlices;
    this.#triggerTimes = [...earlier.triggerTimes, ...this.#triggerTimes];
    this.#since = earlier.since ?? this.#since;
  }
}
