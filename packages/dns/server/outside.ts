import type { Clock, Logger, Random } from '#runtime';
import { parseUpstream } from '../upstream/address.ts';
import { type CachedKind, CachingResolver } from '../upstream/caching-resolver.ts';
import { Forwarder, type ForwardPolicy } from '../upstream/forwarder.ts';
import { StubDomains } from '../upstream/stub-domains.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { DnsName } from '../wire/index.ts';
import { counterFamily, gaugeFamily, type Labels, type MetricFamily, sample } from './metrics.ts';
import { isolatedResolver, type OutsideResolver } from './resolver.ts';

export interface OutsideOptions {
  readonly upstreams?: readonly string[];
  readonly forwardPolicy?: ForwardPolicy;
  readonly stubDomains?: Readonly<Record<DnsName, readonly string[]>>;
  readonly upstreamCa?: string;
  readonly ttl?: number;
}

/** One try at one upstream. Milliseconds. */
const TRY_MS = 1500;
/** CoreDNS's name of what forwards. */
const PROXY = { proxy_name: 'forward' };

/** All that answers for names that are not the cluster's: upstreams and stub domains behind one cache, or nobody. */
export class Outside implements Disposable {
  readonly resolver: OutsideResolver;
  readonly cache: CachingResolver | undefined;
  readonly forwarders: readonly Forwarder[];

  /** @throws InvalidInputError when an upstream's address is none */
  constructor(
    options: OutsideOptions,
    deps: { readonly clock: Clock; readonly random: Random; readonly logger: Logger },
  ) {
    const forwarders: Forwarder[] = [];
    const forwarder = (texts: readonly string[], field: string): OutsideResolver => {
      if (texts.length === 0) return isolatedResolver(options.ttl ?? 5);
      const made = new Forwarder(deps, {
        upstreams: texts.map((text) => parseUpstream(text, field)),
        policy: options.forwardPolicy ?? 'random',
        timeoutMs: TRY_MS,
        ...(options.upstreamCa !== undefined && { ca: options.upstreamCa }),
      });
      forwarders.push(made);
      return made;
    };
    const others = forwarder(options.upstreams ?? [], 'upstreams');
    const stubs = new Map(
      Object.entries(options.stubDomains ?? {}).map(([domain, texts]) => [
        domain,
        forwarder(texts, `stubDomains.${domain}`),
      ]),
    );
    this.forwarders = forwarders;
    const asked = stubs.size === 0 ? others : new StubDomains(stubs, others);
    this.cache = forwarders.length === 0 ? undefined : new CachingResolver(asked, deps.clock);
    this.resolver = this.cache ?? asked;
  }

  get upstreams(): readonly Upstream[] {
    return this.forwarders.flatMap(({ upstreams }) => upstreams);
  }

  /** `again`: answers that were given again without asking the cache. */
  collectMetrics(again: Readonly<Record<CachedKind, number>>): readonly MetricFamily[] {
    if (this.cache === undefined) return [];
    const { success, denial, misses, prefetches, stale, evictions } = this.cache.counters;
    const hits = { success: success + again.success, denial: denial + again.denial };
    const { sizes } = this.cache;
    const perUpstream = (value: (upstream: Upstream) => number, labels: Labels = {}) =>
      this.upstreams.map((upstream) => sample(value(upstream), { ...labels, to: upstream.name }));
    const perKind = (values: Readonly<Record<CachedKind, number>>) =>
      (['success', 'denial'] as const).map((type) => sample(values[type], { type }));
    return [
      counterFamily('coredns_cache_requests_total', 'Questions outside.', [
        sample(hits.success + hits.denial + misses),
      ]),
      counterFamily('coredns_cache_hits_total', 'Questions outside answered from the cache.', perKind(hits)),
      counterFamily('coredns_cache_misses_total', 'Questions outside the cache did not have.', [
        sample(misses),
      ]),
      counterFamily('coredns_cache_prefetch_total', 'Answers fetched before their end.', [
        sample(prefetches),
      ]),
      counterFamily('coredns_cache_served_stale_total', 'Answers given after their end.', [sample(stale)]),
      counterFamily('coredns_cache_evictions_total', 'Answers dropped for want of room.', [
        sample(evictions),
      ]),
      gaugeFamily('coredns_cache_entries', 'Answers in the cache.', perKind(sizes)),
      {
        name: 'coredns_proxy_request_duration_seconds',
        help: 'Time to each upstream’s reply.',
        type: 'histogram',
        samples: this.upstreams.flatMap(({ name, durations }) =>
          [...durations].flatMap(([rcode, each]) => each.samples({ ...PROXY, to: name, rcode })),
        ),
      },
      counterFamily(
        'coredns_proxy_healthcheck_failures_total',
        'Probes that an upstream that is down gave no reply to.',
        perUpstream((each) => each.failedProbes, PROXY),
      ),
      counterFamily(
        'podway_dns_upstream_failures_total',
        'Questions an upstream gave no reply to.',
        perUpstream((each) => each.failed),
      ),
      counterFamily(
        'podway_dns_upstream_rejected_replies_total',
        'Replies that did not answer the query sent: forged, or very late.',
        perUpstream((each) => each.rejectedReplies),
      ),
      gaugeFamily(
        'podway_dns_upstream_down',
        'Whether an upstream failed lately and is asked last.',
        perUpstream((each) => (each.isDown || each.isLoop ? 1 : 0)),
      ),
    ];
  }

  [Symbol.dispose](): void {
    for (const forwarder of this.forwarders) forwarder[Symbol.dispose]();
  }
}
