import type { Logger, Random } from '#runtime';
import { CLASS_IN, type DnsName, RECORD_TYPES } from '../wire/index.ts';
import type { Upstream } from './upstream.ts';

/** RFC 6761 section 6.4: no real name ends so. */
const PROBE_DOMAIN = 'loop.podway.invalid';

/**
 * Finds upstreams that send questions back here (a node's resolver that forwards to the cluster DNS): each is asked
 * once for a name nobody else knows; if that question arrives here, the upstream is never asked again.
 */
export class LoopGuard {
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #probes = new Map<DnsName, Upstream>();

  constructor(random: Random, logger: Logger) {
    this.#random = random;
    this.#logger = logger;
  }

  /** Never rejects: an upstream that does not answer is no loop. */
  async probe(upstream: Upstream): Promise<void> {
    const name = `${Buffer.from(this.#random.bytes(12)).toString('hex')}.${PROBE_DOMAIN}`;
    this.#probes.set(name, upstream);
    try {
      await upstream.ask({ name, typeCode: RECORD_TYPES.HINFO, class: CLASS_IN });
    } catch {
      // Its health is the forwarder's to judge.
    } finally {
      this.#probes.delete(name);
    }
  }

  /** Whether a canonical name that is asked for here is a probe that came back. */
  catches(name: DnsName): boolean {
    if (!name.endsWith(PROBE_DOMAIN)) return false;
    const upstream = this.#probes.get(name);
    if (upstream !== undefined && !upstream.isLoop) {
      upstream.isLoop = true;
      this.#logger.error('dns: an upstream sends questions back here and is not asked again', {
        upstream: upstream.name,
      });
    }
    return true;
  }
}
