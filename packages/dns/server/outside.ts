import type { Clock, Logger, Random } from '#runtime';
import { parseUpstream } from '../upstream/address.ts';
import { CachingResolver } from '../upstream/caching-resolver.ts';
import { Forwarder, type ForwardPolicy } from '../upstream/forwarder.ts';
import { StubDomains } from '../upstream/stub-domains.ts';
import type { Upstream } from '../upstream/upstream.ts';
import type { DnsName } from '../wire/index.ts';
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

  [Symbol.dispose](): void {
    for (const forwarder of this.forwarders) forwarder[Symbol.dispose]();
  }
}
