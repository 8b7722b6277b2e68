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

const NONE: Pending = { services: 0, endpointSlices: 0, triggerTimes: [], since: undefined };

/** Collects changes; a run takes them and, when it fails, gives them back. */
export class PendingChanges {
  readonly #clock: Clock;
  #pending = NONE;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get now(): Pending {
    return this.#pending;
  }

  /** @param triggerTimes of slices */
  add(kind: 'services' | 'endpointSlices', triggerTimes: readonly number[] = []): void {
    this.giveBack({ ...NONE, [kind]: 1, triggerTimes, since: this.#clock.now() });
  }

  take(): Pending {
    const taken = this.#pending;
    this.#pending = NONE;
    return taken;
  }

  giveBack(earlier: Pending): void {
    const later = this.#pending;
    const times = [earlier.since, later.since].filter((time) => time !== undefined);
    this.#pending = {
      services: earlier.services + later.services,
      endpointSlices: earlier.endpointSlices + later.endpointSlices,
      triggerTimes: [...earlier.triggerTimes, ...later.triggerTimes],
      since: times.length === 0 ? undefined : Math.min(...times),
    };
  }
}
