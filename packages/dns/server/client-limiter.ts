export interface ClientLimits {
  /** Queries a second that one client may go on asking; Infinity: no limit. */
  readonly queriesPerSecond: number;
  /** Queries it may ask at once after a rest. */
  readonly burst: number;
}

/** A client's key: an IPv4 address as a number, which costs nothing to make of a packet's octets, else the address. */
export function clientKey(address: string): number | string {
  const octets = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)?.slice(1).map(Number);
  return octets === undefined ? address : octets.reduce((key, octet) => key * 256 + octet, 0);
}

/** More than any honest Pod asks, far less than would keep the others waiting. */
export const CLIENT_LIMITS: ClientLimits = { queriesPerSecond: 10_000, burst: 20_000 };

/** Clients that are remembered; a spoofer's many addresses push out one another, and those are forgotten as rested. */
const MOST_CLIENTS = 4096;

interface Bucket {
  tokens: number;
  at: number;
}

/** A token bucket for each client: a flood from one costs that one its answers, and not the others. */
export class ClientLimiter {
  readonly #limits: ClientLimits;
  readonly #buckets = new Map<number | string, Bucket>();

  constructor(limits: ClientLimits) {
    this.#limits = limits;
  }

  /** Whether this client's next query may be answered. `now`: monotonic milliseconds. */
  admits(client: number | string, now: number): boolean {
    const { queriesPerSecond, burst } = this.#limits;
    if (queriesPerSecond === Number.POSITIVE_INFINITY) return true;
    let bucket = this.#buckets.get(client);
    if (bucket === undefined) {
      bucket = { tokens: burst, at: now };
      if (this.#buckets.size >= MOST_CLIENTS) this.#forgetOldest();
      this.#buckets.set(client, bucket);
    } else {
      bucket.tokens = Math.min(burst, bucket.tokens + ((now - bucket.at) * queriesPerSecond) / 1000);
      bucket.at = now;
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }

  #forgetOldest(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
