import { parseIp } from '#ip';
import type { ClusterIndex } from '../records/cluster-index.ts';
import { canonicalName, type DnsName, type Question, RECORD_TYPES } from '../wire/index.ts';

/**
 * Knows what a Pod would ask next. With `ndots:5`, a Pod of namespace `shop` that wants `api.example.com` first asks for
 * `api.example.com.shop.svc.cluster.local`, then through its other search domains, and for the name itself last. Seeing the
 * first question, this server can walk the rest of the list by itself and answer at once, with a CNAME to the name that was
 * found: one round trip for five, in each family.
 *
 * It needs the Pods, to tell by the client's address whose list it is. It knows the cluster's part of the list and
 * `furtherDomains`, not what a Pod's dnsConfig adds: a Pod whose list differs may get the name itself where its own list
 * would have found another first. And who asks for such a name as a whole gets an answer where the name does not exist.
 */
export class SearchPath {
  readonly #index: ClusterIndex;
  readonly #domain: DnsName;
  readonly #furtherDomains: readonly DnsName[];

  constructor(index: ClusterIndex, clusterDomain: DnsName, furtherDomains: readonly DnsName[]) {
    this.#index = index;
    this.#domain = canonicalName(clusterDomain);
    this.#furtherDomains = furtherDomains.map(canonicalName);
  }

  namespaceOf(client: string): string | undefined {
    return this.#index.podOfAddress(parseIp(client))?.namespace;
  }

  /** The names this client would ask for next, or none when the question is not the first of its own search list. */
  candidates(question: Question, client: string): readonly DnsName[] {
    if (question.typeCode !== RECORD_TYPES.A && question.typeCode !== RECORD_TYPES.AAAA) return [];
    const namespace = this.namespaceOf(client);
    const first = `.${namespace}.svc.${this.#domain}`;
    if (namespace === undefined || !question.name.endsWith(first)) return [];
    const wanted = question.name.slice(0, -first.length);
    const domains = [`svc.${this.#domain}`, this.#domain, ...this.#furtherDomains];
    return [...domains.map((domain) => `${wanted}.${domain}`), wanted].filter((name) => name.length <= 253);
  }
}
