import type { Clock } from '#runtime';
import { type Inquiry, type Resolution, variantOf } from '../records/resolution.ts';
import { isDenial } from '../server/prepared-answer.ts';
import type { OutsideResolver } from '../server/resolver.ts';
import { RCODES, type ResourceRecord } from '../wire/index.ts';

export interface CacheOptions {
  /** Questions whose answers are kept. */
  readonly entries: number;
  /** How long after its end an answer may still be given when no new one is to be had. Milliseconds; 0: never. */
  readonly staleMs: number;
  /** How long a client waits for a new answer before it gets the old one. Milliseconds. */
  readonly staleAfterMs: number;
}

/** RFC 8767 section 5: a client waits 1.8 s; a day is the longest, an hour is plenty. */
export const CACHE_OPTIONS: CacheOptions = { entries: 10_000, staleMs: 3_600_000, staleAfterMs: 1800 };

/** RFC 8767 section 4. Seconds. */
const STALE_TTL = 30;
/** In the last tenth of its life an answer that is asked for is fetched anew. */
const PREFETCH_PART = 0.9;

/** As CoreDNS tells them apart: answers, and NXDOMAIN or NODATA. */
export type CachedKind = 'success' | 'denial';

function kindOf({ rcode, answers }: Resolution): CachedKind {
  return isDenial({ rcode, answerCount: answers.length }) ? 'denial' : 'success';
}

interface Entry {
  readonly resolution: Resolution;
  readonly lifetimeMs: number;
  readonly storedAt: number;
}

/** Keeps another resolver's answers: positive and negative (RFC 2308), fetched anew before they end, stale rather than none. */
export class CachingResolver implements OutsideResolver {
  readonly #inner: OutsideResolver;
  readonly #clock: Clock;
  readonly #options: CacheOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #fetching = new Map<string, Promise<Resolution>>();
  readonly counters = { success: 0, denial: 0, misses: 0, prefetches: 0, stale: 0, evictions: 0 };

  constructor(inner: OutsideResolver, clock: Clock, options: CacheOptions = CACHE_OPTIONS) {
    this.#inner = inner;
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How many there are of each kind. */
  get sizes(): Readonly<Record<CachedKind, number>> {
    const sizes = { success: 0, denial: 0 };
    for (const { resolution } of this.#entries.values()) sizes[kindOf(resolution)]++;
    return sizes;
  }

  resolve(question: Inquiry): Resolution | Promise<Resolution> {
    const key = `${question.name} ${question.typeCode} ${question.class} ${variantOf(question)}`;
    const entry = this.#entries.get(key);
    const age = entry === undefined ? 0 : this.#clock.monotonic() - entry.storedAt;
    if (entry === undefined || age > entry.lifetimeMs + this.#options.staleMs) {
      this.counters.misses++;
      return this.#fetch(key, question);
    }
    // Asked for again: the last to go.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (age < entry.lifetimeMs) {
      this.counters[kindOf(entry.resolution)]++;
      if (age >= entry.lifetimeMs * PREFETCH_PART && !this.#fetching.has(key)) {
        this.counters.prefetches++;
        void this.#fetch(key, question);
      }
      return aged(entry, age);
    }
    this.counters.misses++;
    return this.#freshOrStale(key, question, entry);
  }

  #freshOrStale(key: string, question: Inquiry, entry: Entry): Promise<Resolution> {
    const stale = (): Resolution => {
      this.counters.stale++;
      // Its signatures may have ended with it.
      return { ...withTtl(entry.resolution, () => STALE_TTL), authenticData: false, lifetimeMs: 0 };
    };
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(this.#options.staleAfterMs, () => resolve(stale()));
      void this.#fetch(key, question).then((fresh) => {
        timer[Symbol.dispose]();
        resolve(fresh.rcode === RCODES.SERVFAIL ? stale() : fresh);
      });
    });
  }

  #fetch(key: string, question: Inquiry): Promise<Resolution> {
    const fetching = this.#fetching.get(key);
    if (fetching !== undefined) return fetching;
    const fetched = Promise.resolve(this.#inner.resolve(question)).then((resolution) => {
      this.#fetching.delete(key);
      return this.#keep(key, resolution);
    });
    this.#fetching.set(key, fetched);
    return fetched;
  }

  #keep(key: string, resolution: Resolution): Resolution {
    const { lifetimeMs = 0 } = resolution;
    const old = this.#entries.get(key);
    // A failure does not displace an answer that may still serve.
    const useful =
      resolution.rcode !== RCODES.SERVFAIL || old === undefined || old.resolution.rcode === RCODES.SERVFAIL;
    if (lifetimeMs <= 0 || !useful) return { ...resolution, lifetimeMs: Math.min(lifetimeMs, 1000) };
    this.#entries.delete(key);
    const entry: Entry = { resolution, lifetimeMs, storedAt: this.#clock.monotonic() };
    this.#entries.set(key, entry);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#options.entries) break;
      this.#entries.delete(oldest);
      this.counters.evictions++;
    }
    return aged(entry, 0);
  }
}

/** The answer as it is after `age`; it may be given out without asking here until the time to fetch it anew. */
function aged(entry: Entry, age: number): Resolution {
  const seconds = Math.floor(age / 1000);
  return {
    ...withTtl(entry.resolution, ({ ttl }) => Math.max(1, ttl - seconds)),
    lifetimeMs: Math.max(0, entry.lifetimeMs * PREFETCH_PART - age),
  };
}

function withTtl(resolution: Resolution, ttl: (record: ResourceRecord) => number): Resolution {
  const renew = (records: readonly ResourceRecord[]) => records.map((each) => ({ ...each, ttl: ttl(each) }));
  return { ...resolution, answers: renew(resolution.answers), authorities: renew(resolution.authorities) };
}
