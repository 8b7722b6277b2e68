import { InvalidInputError } from '#runtime';
import type { Inquiry, Resolution } from '../records/resolution.ts';
import type { OutsideResolver } from '../server/resolver.ts';
import { canonicalName, type DnsName, isInZone } from '../wire/index.ts';
import { parseUpstream } from './address.ts';

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

/** Reads `DOMAIN=UPSTREAM`; a domain may come again, with another upstream. @throws InvalidInputError that names `field` */
export function parseStubDomains(
  texts: readonly string[],
  field: string,
): Readonly<Record<DnsName, readonly string[]>> {
  const found: Record<DnsName, readonly string[]> = {};
  for (const text of texts) {
    const [domain = '', upstream = ''] = text.split('=', 2);
    if (domain === '') throw new InvalidInputError(field, text, 'must be DOMAIN=ADDRESS');
    parseUpstream(upstream, field);
    found[domain] = [...(found[domain] ?? []), upstream];
  }
  return found;
}
