import { type IpAddress, prefixContains } from '#ip';
import type { Clock, Random } from '#runtime';
import { decodeEndpoints, type RelayEndpoint, type RelayedFrontend } from './relay-messages.ts';

/** So many endpoints are tried for one connection. */
const TRIES = 4;

/** So many clients are remembered by session affinity, those seen last. */
const MAX_BOUND = 65_536;

interface Bound {
  readonly endpoint: RelayEndpoint;
  /** Monotonic milliseconds. */
  readonly until: number;
}

type Pool = 'target' | 'outside';

/** Which endpoint a client of one frontend gets: any of the table's, or the one it is bound to by session affinity. */
export class EndpointChoice {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #isInside: (source: IpAddress, frontend: RelayedFrontend) => boolean;
  #frontend: RelayedFrontend;
  /** Those that have been asked for. */
  #pools: { [pool in Pool]?: readonly RelayEndpoint[] } = {};
  /** By client, the one longest not seen first; undefined: no affinity yet. */
  #bound: Map<IpAddress, Bound> | undefined;

  /** @param isInside whether a source is on this node or one of its Pods */
  constructor(
    frontend: RelayedFrontend,
    clock: Clock,
    random: Random,
    isInside: (source: IpAddress, frontend: RelayedFrontend) => boolean,
  ) {
    this.#frontend = frontend;
    this.#clock = clock;
    this.#random = random;
    this.#isInside = isInside;
  }

  get frontend(): RelayedFrontend {
    return this.#frontend;
  }

  set frontend(frontend: RelayedFrontend) {
    this.#frontend = frontend;
    this.#pools = {};
    if (frontend.affinitySeconds === undefined) this.#bound = undefined;
  }

  /** Endpoints in the order in which they are to be tried; none when there is nothing for this source. */
  candidates(source: IpAddress): readonly RelayEndpoint[] {
    const { outside, sourceRanges } = this.#frontend;
    // Its filter sees to this, but for a connection that was on its way when the ranges changed.
    if (sourceRanges?.some((range) => prefixContains(range, source)) === false) return [];
    const isTarget = outside === undefined || this.#isInside(source, this.#frontend);
    const endpoints = this.#pool(isTarget ? 'target' : 'outside');
    const bound = this.#bound?.get(source);
    const first =
      bound === undefined || bound.until <= this.#clock.monotonic()
        ? -1
        : endpoints.findIndex((endpoint) => isSame(endpoint, bound.endpoint));
    const start = first >= 0 ? first : Math.floor(this.#random.next() * endpoints.length);
    const rest = endpoints.slice(0, Math.max(0, start + TRIES - endpoints.length));
    return [...endpoints.slice(start, start + TRIES), ...rest].slice(0, endpoints.length);
  }

  /** The endpoint has taken the client: with session affinity it keeps it. */
  taken(source: IpAddress, endpoint: RelayEndpoint): void {
    const seconds = this.#frontend.affinitySeconds;
    if (seconds === undefined) return;
    const now = this.#clock.monotonic();
    this.#bound ??= new Map();
    this.#bound.delete(source);
    this.#bound.set(source, { endpoint, until: now + seconds * 1000 });
    for (const [client, { until }] of this.#bound) {
      if (until > now && this.#bound.size <= MAX_BOUND) break;
      this.#bound.delete(client);
    }
  }

  #pool(pool: Pool): readonly RelayEndpoint[] {
    const list = this.#frontend[pool];
    const endpoints = this.#pools[pool] ?? (list === undefined ? [] : decodeEndpoints(list));
    this.#pools[pool] = endpoints;
    return endpoints;
  }
}

export function isSame(a: RelayEndpoint, b: RelayEndpoint): boolean {
  return a.address === b.address && a.port === b.port;
}
