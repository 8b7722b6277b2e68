import type { IpvsChange, IpvsPort, IpvsService, IpvsServiceKey } from '#kernel';
import { type Clock, errorMessage, type Logger } from '#runtime';
import { KnownServers } from './known-servers.ts';
import type { VirtualServer } from './plan.ts';

export interface VirtualServersDeps {
  readonly ipvs: IpvsPort;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often destinations that drain are looked at, milliseconds. */
const SWEEP_MS = 5_000;
/** Servers whose destinations are read, and changes that are made, between other work: some milliseconds. */
const SLICE = 200;
const PART = 1_000;
/** Servers that each check looks at. */
const CHECKED = 32;

/** Our virtual servers in the kernel: reads them, makes them as they should be, and removes what has drained. */
export class VirtualServers implements Disposable {
  readonly #ipvs: IpvsPort;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** How long a destination may drain, milliseconds. */
  readonly #graceMs: number;
  readonly #known = new KnownServers();
  /** A change has failed: what is remembered may not be what the kernel holds. */
  #failed = false;
  #sweep: Disposable | undefined;
  #changing = false;
  #checked: Iterator<IpvsService> | undefined;

  constructor({ ipvs, clock, logger }: VirtualServersDeps, graceMs: number) {
    this.#ipvs = ipvs;
    this.#clock = clock;
    this.#logger = logger;
    this.#graceMs = graceMs;
  }

  /** Whether the kernel holds what is remembered, as far as this process knows. */
  get areKnown(): boolean {
    return !this.#failed;
  }

  get size(): number {
    return this.#known.size;
  }

  get keys(): readonly IpvsServiceKey[] {
    return this.#known.services;
  }

  forgetAll(): void {
    this.#known.clear();
    this.#checked = undefined;
    this.#failed = false;
  }

  /** Remembers those of the kernel's servers that are chosen, beside what is remembered already. */
  async observe(isChosen: (service: IpvsService) => boolean): Promise<void> {
    let read = 0;
    for (const service of this.#ipvs.listServices()) {
      if (this.#known.has(service) || !isChosen(service)) continue;
      this.#known.observed(service, this.#ipvs.listDestinations(service), this.#clock.monotonic());
      if (++read % SLICE === 0) await otherWork();
    }
  }

  /** Makes servers as they are wanted. @returns how many changes that took */
  async want(wanted: readonly VirtualServer[]): Promise<number> {
    const now = this.#clock.monotonic();
    return this.#change(wanted.flatMap((server) => this.#known.want(server, now)));
  }

  /** Removes servers with all their connections. @returns how many */
  async remove(keys: Iterable<IpvsServiceKey>): Promise<number> {
    return this.#change([...keys].flatMap((key) => this.#known.forget(key)));
  }

  /** Removes those of the servers that have nothing to do any more. @returns how many */
  async removeEmpty(keys: Iterable<IpvsServiceKey>): Promise<number> {
    return this.#change(this.#known.forgetEmpty(keys));
  }

  /** No destination takes new connections any more. */
  async drainAll(): Promise<void> {
    await this.uninterrupted(() => this.#change(this.#known.drainAll(this.#clock.monotonic())));
  }

  /** While a change of all that Services need is under way, what has drained waits. */
  async uninterrupted<T>(work: () => Promise<T>): Promise<T> {
    this.#changing = true;
    try {
      return await work();
    } finally {
      this.#changing = false;
      this.#sweepLater();
    }
  }

  /** Looks for what has drained, again and again as long as anything drains. */
  #sweepLater(): void {
    if (this.#sweep !== undefined || !this.#known.isDraining) return;
    const look = () => {
      this.#sweep = undefined;
      if (!this.#changing) this.#sweepNow();
      this.#sweepLater();
    };
    this.#sweep = this.#clock.setTimer(SWEEP_MS, look, { unref: true });
  }

  /** Whether the kernel has every server that is remembered; their destinations aside. */
  match(): boolean {
    const ours = this.#ipvs.listServices().filter((service) => this.#known.has(service));
    return ours.length === this.#known.size && ours.every((service) => this.#known.matchesService(service));
  }

  /** Whether the destinations of some servers, others at each call, are those that are remembered. */
  spotCheck(): boolean {
    for (let i = 0; i < CHECKED; i++) {
      this.#checked ??= this.#known.services.values();
      const next = this.#checked.next();
      if (next.done === true) {
        this.#checked = undefined;
        return true;
      }
      const service = next.value;
      if (this.#known.has(service) && !this.#known.matches(service, this.#ipvs.listDestinations(service)))
        return false;
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#sweep?.[Symbol.dispose]();
    this.#sweep = undefined;
  }

  #sweepNow(): void {
    try {
      const now = this.#clock.monotonic();
      const list = (service: IpvsService) => this.#ipvs.listDestinations(service);
      this.#changeNow(this.#known.sweep(list, now, this.#graceMs));
    } catch (error) {
      this.#failed = true;
      this.#logger.warn('endpoints that have drained cannot be removed', { error: errorMessage(error) });
    }
  }

  /** Other work has its turn meanwhile. */
  async #change(changes: readonly IpvsChange[]): Promise<number> {
    for (let start = 0; start < changes.length; start += PART) {
      if (start > 0) await otherWork();
      this.#changeNow(changes.slice(start, start + PART));
    }
    return changes.length;
  }

  #changeNow(changes: readonly IpvsChange[]): void {
    if (changes.length === 0) return;
    try {
      this.#ipvs.change(changes);
    } catch (error) {
      this.#failed = true;
      throw error;
    }
  }
}

function otherWork(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
