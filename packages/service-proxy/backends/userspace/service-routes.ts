import { hostPrefix, type IpAddress, type IpPrefix, prefixAddress } from '#ip';
import { type NetworkNamespace, ROUTE_PROTOCOL_PODWAY, type RouteSpec, type RouteType } from '#kernel';
import { otherWork } from '#runtime';

/** RT_TABLE_LOCAL: looked up before every other table. */
const TABLE_LOCAL = 255;
/** Not 0, as the kernel's own routes for addresses of links: ours stands beside one of the same address and hides none. */
const METRIC = 93;
/** Routes that are written between other work: some milliseconds. */
const PART = 200;

/**
 * Makes Service addresses this node's own, by a route of type `local` each, and the rest of the Service range unreachable. Who holds an
 * address counts; {@link sync} writes.
 */
export class ServiceRoutes implements Disposable {
  readonly #netns: NetworkNamespace;
  readonly #routes: NetworkNamespace['routes'];
  readonly #holders = new Map<IpAddress, number>();
  #ranges: readonly IpPrefix[] = [];
  /** In the kernel, as far as is known. */
  #there: Map<IpPrefix, RouteType> | undefined;
  /** What may differ from {@link #there}; undefined: everything. */
  #touched: Set<IpPrefix> | undefined;

  #watch: Disposable | undefined;
  /** A route may have gone since they were last read: reading 10,000 takes 50 ms, in which nothing is relayed. */
  #unread = true;

  constructor(netns: NetworkNamespace) {
    this.#netns = netns;
    this.#routes = netns.routes;
  }

  hold(address: IpAddress): void {
    this.#count(address, 1);
  }

  /** @returns whether nobody holds it any more */
  release(address: IpAddress): boolean {
    return this.#count(address, -1) === 0;
  }

  setRanges(ranges: readonly IpPrefix[]): void {
    for (const range of [...this.#ranges, ...ranges]) this.#touched?.add(range);
    this.#ranges = ranges;
  }

  /** Takes an address and gives it back. @throws KernelError */
  probe(address: IpAddress): void {
    this.#routes.add(spec(hostPrefix(address), 'local'));
    this.#routes.delete(spec(hostPrefix(address), 'local'));
  }

  /** Reads what is there; the next {@link sync} compares everything. */
  observe(): void {
    this.#there = this.#read();
    this.#touched = undefined;
  }

  /** Whether all that was written is there, and nothing else of ours; costs nothing as long as no route of `lo` goes. */
  matches(): boolean {
    const there = this.#there;
    if (there === undefined) return false;
    if (!this.#unread) return true;
    this.#unread = false;
    const found = this.#read();
    if (found.size !== there.size) return false;
    return [...found].every(([destination, type]) => there.get(destination) === type);
  }

  /** @returns how many routes were written */
  async sync(): Promise<number> {
    const there = this.#there ?? this.#read();
    const touched = [...(this.#touched ?? new Set([...there.keys(), ...this.#wanted()]))];
    this.#there = undefined; // should this fail
    this.#touched = undefined;
    let writes = 0;
    for (let at = 0; at < touched.length; at += PART) {
      if (at > 0) await otherWork();
      writes += this.#netns.batch(() => this.#write(touched.slice(at, at + PART), there));
    }
    this.#there = there;
    this.#touched = new Set();
    this.#watch ??= this.#watchLoopback();
    return writes;
  }

  #write(touched: readonly IpPrefix[], there: Map<IpPrefix, RouteType>): number {
    let writes = 0;
    for (const destination of touched) {
      const wanted = this.#typeOf(destination);
      const found = there.get(destination);
      if (wanted === found) continue;
      if (wanted !== undefined) {
        this.#routes.replace(spec(destination, wanted));
        there.set(destination, wanted);
      } else if (found !== undefined) {
        this.#routes.delete(spec(destination, found));
        there.delete(destination);
      }
      writes++;
    }
    return writes;
  }

  /**
   * Nobody answers until somebody syncs again: packets for the addresses vanish meanwhile, so that clients which come by a link try again
   * instead of being refused. (This host's own are told EINVAL by the kernel.)
   */
  suspend(): void {
    for (const address of this.#holders.keys()) this.#routes.replace(spec(hostPrefix(address), 'blackhole'));
    this.#there = undefined;
    this.#touched = undefined;
  }

  remove(): void {
    for (const [destination, type] of this.#read()) this.#routes.delete(spec(destination, type));
    this.#there = undefined;
    this.#touched = undefined;
    this.#holders.clear();
    this.#ranges = [];
  }

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
  }

  #watchLoopback(): Disposable {
    this.#unread = true;
    const loopback = this.#netns.links.get('lo')?.index;
    return this.#netns.monitor(
      (event) => {
        if (event.kind === 'overrun') this.#unread = true;
        // `unreachable` routes are on no link, or on lo.
        else if (event.change === 'del' && [loopback, 0].includes(event.ifindex)) this.#unread = true;
      },
      ['route'],
    );
  }

  *#wanted(): Iterable<IpPrefix> {
    yield* this.#ranges;
    for (const address of this.#holders.keys()) yield hostPrefix(address);
  }

  #typeOf(destination: IpPrefix): RouteType | undefined {
    const address = prefixAddress(destination);
    if (this.#holders.has(address) && hostPrefix(address) === destination) return 'local';
    return this.#ranges.includes(destination) ? 'unreachable' : undefined;
  }

  #count(address: IpAddress, change: number): number {
    const count = (this.#holders.get(address) ?? 0) + change;
    if (count > 0) this.#holders.set(address, count);
    else this.#holders.delete(address);
    this.#touched?.add(hostPrefix(address));
    return count;
  }

  #read(): Map<IpPrefix, RouteType> {
    const found = new Map<IpPrefix, RouteType>();
    for (const route of this.#routes.list({ table: TABLE_LOCAL, protocol: ROUTE_PROTOCOL_PODWAY }))
      if (route.metric === METRIC) found.set(route.destination, route.type);
    return found;
  }
}

function spec(destination: IpPrefix, type: RouteType): RouteSpec {
  const link = type === 'local' ? { link: 'lo' } : {};
  return { destination, type, table: TABLE_LOCAL, metric: METRIC, protocol: ROUTE_PROTOCOL_PODWAY, ...link };
}
