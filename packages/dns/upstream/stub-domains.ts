import type { Inquiry, Resolution } from '../records/resolution.ts';
import type { OutsideResolver } from '../server/resolver.ts';
import { canonicalName, type DnsName, isInZone } from '../wire/index.ts';

/** Sends the names of some domains to resolvers of their own; the longest domain that holds the name decides. */
export class StubDomains implements OutsideResolver {
  readonly #stubs: readonly { readonly domain: DnsName; readonly resolver: OutsideResolver }[];
  readonly #others: OutsideResolver;

  constructor(stubs: ReadonlyMap<DnsName, OutsideResolver>, others: OutsideResolver) {
    this.#stubs = [...stubs]
      .map(([domain, resolver]) => ({ domain: canonicalName(domain), resolver }))
      .sort((a, b) => b.domain.length - a.domain.length);
    this.#others = others;
  }

  resolve(question: Inquiry): Resolution | Promise<Resolution> {
    const stub = this.#stubs.find(({ domain }) => isInZone(question.name, domain));
    return (stub?.resolver ?? this.#others).resolve(question);
  }
}
