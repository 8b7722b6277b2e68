import { type IpAddress, prefixContains } from '#ip';
import type { Clock, Random } from '#runtime';
import type { Endpoint, Frontend } from '../../table/entry.ts';

/** So many endpoints are tried for one connection. */
const TRIES = 4;

/** So many clients are remembered by session affinity, those seen last. */
const MAX_BOUND = 65_536;

interface Bound {
  readonly endpoint: Endpoint;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** Which endpoint a client of one frontend gets: any of the table's, or the one it is bound to by session affinity. */
export class EndpointChoice {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #isInside: (source: IpAddress) => boolean;
  #frontend: Frontend;
  /** By client, the one longest not seen first. */
  readonly #bound = new Map<IpAddress, Bound>();

  /** @param isInside whether a source is on this node or one of its Pods */
  constructor(frontend: Frontend, clock: Clock, random: Random, isInside: (source: IpAddress) => boolean) {
    this.#frontend = frontend;
    this.#clock = clock;
    this.#random = random;
    this.#isInside = isInside;
  }

  get frontend(): Frontend {
    return this.#frontend;
  }

  set frontend(frontend: Frontend) {
    this.#frontend = frontend;
    if (frontend.affinitySeconds === undefined) this.#bound.clear();
  }

  /** Endpoints in the order in which they are to be tried; none when there is nothing for this source. */
  candidates(source: IpAddress): readonly Endpoint[] {
    const { target, outside, sourceRanges } = this.#frontend;
    // Its filter sees to this, but for a connection that was on its way when the ranges changed.
    if (sourceRanges?.some((range) => prefixContains(range, source)) === false) return [];
    const pool = outside === undefined || this.#isInside(source) ? target : outside;
    if (pool.kind !== 'endpoints') return [];
    const { endpoints } = pool;
    const bound = this.#bound.get(source);
    const first =
      bound === undefined || bound.until <= this.#clock.monotonic()
        ? -1
        : endpoints.findIndex((endpoint) => isSame(endpoint, bound.endpoint));
    const start = first >= 0 ? first : Math.floor(this.#random.next() * endpoints.length);
    const rest = endpoints.slice(0, Math.max(0, start + TRIES - endpoints.length));
    return [...endpoints.slice(start, start + TRIES), ...rest].slice(0, endpoints.length);
  }

  /** The endpoint has taken the client: with session affinity it keeps it. */
  taken(source: IpAddress, endpoint: Endpoint): void {
    const seconds = this.#frontend.affinitySeconds;
    if (seconds === undefined) return;
    const now = this.#clock.monotonic();
    this.#bound.delete(source);
    this.#bound.set(source, { endpoint, until: now + seconds * 1000 });
    for (const [client, { until }] of this.#bound) {
      if (until > now && this.#bound.size <= MAX_BOUND) break;
      this.#bound.delete(client);
    }
  }
}

export function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port;
}
