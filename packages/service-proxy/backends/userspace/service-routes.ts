import { hostPrefix, type IpAddress, type IpPrefix } from '#ip';
import { type NetworkNamespace, ROUTE_PROTOCOL_PODWAY, type RouteSpec, type RouteType } from '#kernel';

/** RT_TABLE_LOCAL: looked up before every other table. */
const TABLE_LOCAL = 255;
/** Not 0, as the kernel's own routes for addresses of links: ours stands beside one of the same address and hides none. */
const METRIC = 93;

/**
 * Makes Service addresses this node's own, by a route of type `local` each, and the rest of the Service range unreachable. Who holds an
 * address counts; {@link sync} writes.
 */
export class ServiceRoutes {
  readonly #routes: NetworkNamespace['routes'];
  readonly #holders = new Map<IpAddress, number>();
  #ranges: readonly IpPrefix[] = [];
  /** In the kernel, as far as is known. */
  #there: Map<IpPrefix, RouteType> | undefined;
  /** What may differ from {@link #there}; undefined: everything. */
  #touched: Set<IpPrefix> | undefined;

  constructor(routes: NetworkNamespace['routes']) {
    this.#routes = routes;
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

  /** Whether all that was written is there, and nothing else of ours. */
  matches(): boolean {
    const found = this.#read();
    const there = this.#there;
    if (there === undefined || found.size !== there.size) return false;
    return [...found].every(([destination, type]) => there.get(destination) === type);
  }

  /** @returns how many routes were written */
  sync(): number {
    const there = this.#there ?? this.#read();
    this.#there = there;
    const touched = this.#touched ?? new Set([...there.keys(), ...this.#wanted()]);
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
    this.#touched = new Set();
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

  *#wanted(): Iterable<IpPrefix> {
    yield* this.#ranges;
    for (const address of this.#holders.keys()) yield hostPrefix(address);
  }

  #typeOf(destination: IpPrefix): RouteType | undefined {
    const address = destination.slice(0, destination.indexOf('/')) as IpAddress;
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
