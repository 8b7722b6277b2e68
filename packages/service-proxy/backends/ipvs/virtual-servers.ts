import {
  type IpvsChange,
  type IpvsPort,
  type IpvsService,
  type IpvsServiceKey,
  isKernelError,
} from '#kernel';
import { type Clock, errorMessage, type Logger, otherWork } from '#runtime';
import { KnownServers } from './known-servers.ts';
import type { VirtualServer } from './plan.ts';

export interface VirtualServersDeps {
  readonly ipvs: IpvsPort;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** How often destinations that drain are looked at, milliseconds. */
const SWEEP_MS = 5_000;
/** Between other work: servers whose destinations are read, those that are only compared, and changes that are made. Some milliseconds each. */
const SLICE = 50;
const SERVERS = 200;
const PART = 50;
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
  /** Endpoints that the kernel has refused, as the log has them. */
  readonly #leftOut = new Set<string>();
  /** Where {@link spotCheck} and the sweep go on. */
  #checked: Iterator<IpvsService> | undefined;
  #swept: IteratorObject<IpvsService> | undefined;

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

  get drainingDestinations(): number {
    return this.#known.drainingDestinations;
  }

  get keys(): readonly IpvsServiceKey[] {
    return this.#known.services;
  }

  forgetAll(): void {
    this.#known.clear();
    this.#checked = undefined;
    this.#swept = undefined;
    this.#failed = false;
  }

  /** Remembers those of the kernel's servers that are chosen, beside what is remembered already. */
  async observe(isChosen: (service: IpvsService) => boolean): Promise<void> {
    let read = 0;
    for (const [i, service] of (await this.#ipvs.listServices()).entries()) {
      if (i % SERVERS === SERVERS - 1) await otherWork();
      if (this.#known.has(service) || !isChosen(service)) continue;
      this.#known.observed(service, this.#ipvs.listDestinations(service), this.#clock.monotonic());
      if (++read % SLICE === 0) await otherWork();
    }
  }

  /** Makes servers as they are wanted. @returns how many changes that took */
  async want(wanted: readonly VirtualServer[]): Promise<number> {
    const now = this.#clock.monotonic();
    return this.#changeEach(wanted, (server) => this.#known.want(server, now));
  }

  /** Removes servers with all their connections. @returns how many */
  async remove(keys: readonly IpvsServiceKey[]): Promise<number> {
    return this.#changeEach(keys, (key) => this.#known.forget(key));
  }

  /** Removes those of the servers that have nothing to do any more. @returns how many */
  async removeEmpty(keys: readonly IpvsServiceKey[]): Promise<number> {
    return this.#changeEach(keys, (key) => this.#known.forgetEmpty(key));
  }

  /** No destination takes new connections any more. */
  async drainAll(): Promise<void> {
    const now = this.#clock.monotonic();
    await this.uninterrupted(() =>
      this.#changeEach(this.#known.services, (service) => this.#known.drain(service, now)),
    );
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

  /** Whether the kernel has every server that is remembered; their destinations aside. */
  async match(): Promise<boolean> {
    let ours = 0;
    let read = 0;
    for (const service of await this.#ipvs.listServices()) {
      if (++read % SERVERS === 0) await otherWork();
      if (!this.#known.has(service)) continue;
      if (!this.#known.matchesService(service)) return false;
      ours++;
    }
    return ours === this.#known.size;
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

  /** Looks for what has drained, again and again as long as anything drains. */
  #sweepLater(ms = SWEEP_MS): void {
    if (this.#sweep !== undefined || !this.#known.isDraining) return;
    const look = () => {
      this.#sweep = undefined;
      const isLeft = !this.#changing && this.#sweepSome();
      this.#sweepLater(isLeft ? 0 : SWEEP_MS);
    };
    this.#sweep = this.#clock.setTimer(ms, look, { unref: true });
  }

  /** @returns whether this round has more to look at */
  #sweepSome(): boolean {
    this.#swept ??= this.#known.draining.values();
    try {
      const now = this.#clock.monotonic();
      const some = [...this.#swept.take(SLICE)];
      this.#changeNow(
        some.flatMap((one) => this.#known.sweep(one, this.#ipvs.listDestinations(one), now, this.#graceMs)),
      );
      if (some.length === SLICE) return true;
    } catch (error) {
      this.#failed = true;
      this.#logger.warn('endpoints that have drained cannot be removed', { error: errorMessage(error) });
    }
    this.#swept = undefined;
    return false;
  }

  /** Makes the changes that each needs, in order; other work has its turn meanwhile. @returns how many */
  async #changeEach<T>(all: readonly T[], changesOf: (one: T) => readonly IpvsChange[]): Promise<number> {
    let made = 0;
    let waiting: IpvsChange[] = [];
    for (const [i, one] of all.entries()) {
      waiting.push(...changesOf(one));
      const isFull = waiting.length >= PART;
      if (isFull) {
        made += this.#changeNow(waiting);
        waiting = [];
      }
      if (isFull || i % SERVERS === SERVERS - 1) await otherWork();
    }
    return made + this.#changeNow(waiting);
  }

  #changeNow(changes: readonly IpvsChange[]): number {
    if (changes.length === 0) return 0;
    try {
      try {
        this.#ipvs.change(changes);
      } catch (error) {
        if (!isKernelError(error, 'EINVAL')) throw error;
        for (const change of changes) this.#changeOrLeaveOut(change);
      }
    } catch (error) {
      this.#failed = true;
      throw error;
    }
    return changes.length;
  }

  /**
   * An endpoint whose address the kernel takes for none of a host (multicast, the broadcast address of a link) is left out: nobody's endpoint
   * may keep all Services from changing.
   */
  #changeOrLeaveOut(change: IpvsChange): void {
    try {
      this.#ipvs.change([change]);
    } catch (error) {
      if (change.op.startsWith('add') && isKernelError(error, 'EEXIST')) return; // made before
      if (change.op !== 'add-destination' || !isKernelError(error, 'EINVAL')) throw error;
      this.#known.leaveOut(change.service, change.destination);
      const reason = errorMessage(error);
      if (this.#leftOut.has(reason)) return;
      this.#leftOut.add(reason);
      this.#logger.warn('an endpoint cannot be used', { error: reason });
    }
  }
}
