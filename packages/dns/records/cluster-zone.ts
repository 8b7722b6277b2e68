import type { IpAddress } from '#ip';
import {
  canonicalName,
  type DnsName,
  isInZone,
  META_TYPES,
  RCODES,
  RECORD_TYPES,
  type RecordData,
  type ResourceRecord,
} from '../wire/index.ts';
import type { ClusterIndex } from './cluster-index.ts';
import { addressData, addressOfLabel, EMPTY, type Node, serviceNode } from './nodes.ts';
import { type Resolution, record } from './resolution.ts';
import { addressOfReverseName } from './reverse-name.ts';
import { nodeBelowService, serviceRecords } from './service-names.ts';
import { addressLabel, serviceView } from './service-view.ts';

/** How names of Pods (`10-1-0-2.NAMESPACE.pod.ZONE`) are answered; the specification's section 2.6 calls for `insecure`. */
export type PodRecords = 'disabled' | 'insecure' | 'verified';

export interface ClusterZoneOptions {
  /** As in `cluster.local`. */
  readonly clusterDomain: DnsName;
  /** Zones of `in-addr.arpa` and `ip6.arpa` that are the cluster's: what is not there is NXDOMAIN. */
  readonly reverseZones: readonly DnsName[];
  /** Seconds, of positive and negative answers. */
  readonly ttl: number;
  readonly podRecords: PodRecords;
  /** Where this DNS is reached: the addresses of `ns.dns.ZONE`. */
  readonly serverAddresses: readonly IpAddress[];
  /** The zone's version, where it may be transferred; else it need not move, and a moving one would make answers differ. */
  readonly serial?: () => number;
}

export const SCHEMA_VERSION = '1.1.0';

interface Found {
  readonly node: Node | undefined;
  /** What was looked at. */
  readonly tags: readonly string[];
}

/** The records of the cluster: Kubernetes DNS specification 1.1.0 over a {@link ClusterIndex}. */
export class ClusterZone {
  readonly #index: ClusterIndex;
  readonly #options: ClusterZoneOptions;
  readonly #domain: DnsName;
  readonly #reverseZones: readonly DnsName[];

  constructor(index: ClusterIndex, options: ClusterZoneOptions) {
    this.#index = index;
    this.#options = options;
    this.#domain = canonicalName(options.clusterDomain);
    this.#reverseZones = options.reverseZones.map(canonicalName);
  }

  /** The zone a canonical name lies in, or undefined when it is none of the cluster's. */
  zoneOf(name: DnsName): DnsName | undefined {
    if (isInZone(name, this.#domain)) return this.#domain;
    return this.#reverseZones.find((zone) => isInZone(name, zone));
  }

  /** Whether this canonical name is the zone that {@link transfer} gives. */
  isDomain(name: DnsName): boolean {
    return name === this.#domain;
  }

  /**
   * Every record of the cluster's domain as it is when the first one is taken, between two SOA records (RFC 5936 section
   * 2.2). Names that are made from the question, as insecure Pod records are, cannot be listed; verified ones are. Holds
   * references to the informers' objects, and makes the records of one Service at a time.
   */
  *transfer(): Generator<ResourceRecord> {
    const { ttl, podRecords } = this.#options;
    const { services, pods } = this.#index.snapshot();
    const [soa, ...apex] = this.#apex().records.map((data) => record(this.#domain, ttl, data));
    if (soa === undefined) return;
    yield soa;
    yield* apex;
    for (const name of [`dns-version.${this.#domain}`, `ns.dns.${this.#domain}`])
      for (const data of this.#findInDomain(name).node?.records ?? []) yield record(name, ttl, data);
    for (const { service, slices } of services) {
      const { namespace = '', name = '' } = service.metadata ?? {};
      yield* serviceRecords(serviceView(service, slices), this.#nameOf(`${namespace}/${name}`), ttl);
    }
    if (podRecords === 'verified')
      for (const [address, { namespace }] of pods)
        yield record(`${addressLabel(address)}.${namespace}.pod.${this.#domain}`, ttl, addressData(address));
    yield soa;
  }

  /**
   * The answer for a canonical name in one of the zones; a CNAME is not followed. Undefined: a name outside, unless
   * `outside` reverse names are known here anyway.
   */
  resolve(name: DnsName, typeCode: number): Resolution | undefined {
    const zone = this.zoneOf(name);
    if (zone === undefined) return this.#resolveForeignReverse(name, typeCode);
    const { node, tags } = zone === this.#domain ? this.#findInDomain(name) : this.#findInReverse(name, zone);
    return this.#answer(name, zone, typeCode, node, tags);
  }

  /** A Service or endpoint may have an address outside the reverse zones that were named: answer, but deny nothing. */
  #resolveForeignReverse(name: DnsName, typeCode: number): Resolution | undefined {
    if (!name.endsWith('.arpa')) return undefined;
    const { node, tags } = this.#findInReverse(name, name);
    if (node === undefined || node.records.every((data) => data.type !== 'PTR')) return undefined;
    return this.#answer(name, this.#domain, typeCode, node, tags);
  }

  #answer(
    name: DnsName,
    zone: DnsName,
    typeCode: number,
    node: Node | undefined,
    tags: readonly string[],
  ): Resolution {
    const { ttl } = this.#options;
    const matching = (node?.records ?? []).filter(
      (data) => data.type === 'CNAME' || (data.type !== 'unknown' && RECORD_TYPES[data.type] === typeCode),
    );
    // RFC 8482 section 4.2: one small record for ANY.
    const data: readonly RecordData[] =
      typeCode === META_TYPES.ANY && node !== undefined
        ? [{ type: 'HINFO', cpu: 'RFC8482', os: '' }]
        : matching;
    return {
      rcode: node === undefined ? RCODES.NXDOMAIN : RCODES.NOERROR,
      authoritative: true,
      answers: data.map((each) => record(name, ttl, each)),
      authorities: data.length === 0 ? [this.#soa(zone)] : [],
      additionals: typeCode === RECORD_TYPES.SRV && data.length > 0 ? (node?.additionals ?? []) : [],
      stamp: this.#index.epochs.stamp(tags),
      // Who transfers the zone asks for its SOA to learn of changes: of any, which no stamp stands for.
      ...(this.#options.serial !== undefined && typeCode === RECORD_TYPES.SOA && { lifetimeMs: 0 }),
    };
  }

  #soa(zone: DnsName): ResourceRecord {
    return record(zone, this.#options.ttl, this.#soaData());
  }

  #soaData(): RecordData {
    return {
      type: 'SOA',
      primary: `ns.dns.${this.#domain}`,
      mailbox: `hostmaster.${this.#domain}`,
      serial: this.#options.serial?.() ?? 1,
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: this.#options.ttl,
    };
  }

  #apex(): Node {
    return { records: [this.#soaData(), { type: 'NS', target: `ns.dns.${this.#domain}` }] };
  }

  #findInDomain(name: DnsName): Found {
    if (name === this.#domain) return { node: this.#apex(), tags: [] };
    // From the zone downwards: ['svc', 'default', 'kubernetes', …].
    const labels = name
      .slice(0, -this.#domain.length - 1)
      .split('.')
      .reverse();
    const [top, second, third, ...rest] = labels;
    switch (top) {
      case 'svc':
        if (second === undefined) return { node: EMPTY, tags: [] };
        if (third === undefined) return this.#findNamespace(second);
        return this.#findService(second, third, rest);
      case 'pod':
        if (this.#options.podRecords === 'disabled') return { node: undefined, tags: [] };
        if (second === undefined) return { node: EMPTY, tags: [] };
        if (third === undefined) return this.#findNamespace(second);
        return rest.length === 0 ? this.#findPod(second, third) : { node: undefined, tags: [] };
      case 'dns':
        if (second === undefined) return { node: EMPTY, tags: [] };
        if (second === 'ns' && third === undefined)
          return { node: { records: this.#options.serverAddresses.map(addressData) }, tags: [] };
        return { node: undefined, tags: [] };
      case 'dns-version':
        return second === undefined
          ? { node: { records: [{ type: 'TXT', strings: [Buffer.from(SCHEMA_VERSION)] }] }, tags: [] }
          : { node: undefined, tags: [] };
      default:
        return { node: undefined, tags: [] };
    }
  }

  #findNamespace(namespace: string): Found {
    return {
      node: this.#index.hasNamespace(namespace) ? EMPTY : undefined,
      tags: [`namespace:${namespace}`],
    };
  }

  #findService(namespace: string, name: string, rest: readonly string[]): Found {
    const tags = [`service:${namespace}/${name}`];
    const view = this.#index.view(namespace, name);
    if (view === undefined) return { node: undefined, tags };
    const node =
      rest.length === 0
        ? serviceNode(view)
        : nodeBelowService(view, this.#nameOf(`${namespace}/${name}`), rest, this.#options.ttl);
    return { node, tags };
  }

  #findPod(namespace: string, label: string): Found {
    const address = addressOfLabel(label);
    if (address === undefined) return { node: undefined, tags: [] };
    const tags = [`address:${address}`];
    if (this.#options.podRecords === 'verified' && this.#index.podOfAddress(address)?.namespace !== namespace)
      return { node: undefined, tags };
    return { node: { records: [addressData(address)] }, tags };
  }

  #findInReverse(name: DnsName, zone: DnsName): Found {
    const address = addressOfReverseName(name);
    if (address === undefined) {
      if (name === zone) return { node: this.#apex(), tags: [] };
      // Labels of an address on the way to one are taken to exist: denying them would deny what is below (RFC 8020).
      const partial = /^([0-9]{1,3}\.){1,3}in-addr\.arpa$|^([0-9a-f]\.){1,31}ip6\.arpa$/.test(name);
      return { node: partial ? EMPTY : undefined, tags: [] };
    }
    const targets = this.#reverseTargets(address);
    return {
      node:
        targets.length === 0 ? undefined : { records: targets.map((target) => ({ type: 'PTR', target })) },
      tags: [`address:${address}`],
    };
  }

  /** Names that the specification gives an address: its Service, else its headless endpoints, those named first. */
  #reverseTargets(address: IpAddress): readonly DnsName[] {
    const owners = this.#index.servicesOfAddress(address);
    if (owners.length > 0) return owners.map((owner) => this.#nameOf(owner));
    const found: { readonly named: boolean; readonly target: DnsName }[] = [];
    for (const key of this.#index.servicesOfEndpoint(address)) {
      const [namespace = '', name = ''] = key.split('/');
      const view = this.#index.view(namespace, name);
      if (view?.kind !== 'headless') continue;
      for (const endpoint of view.endpoints)
        if (endpoint.address === address)
          found.push({ named: endpoint.named, target: `${endpoint.hostname}.${this.#nameOf(key)}` });
    }
    return found.sort((a, b) => Number(b.named) - Number(a.named)).map(({ target }) => target);
  }

  #nameOf(key: string): DnsName {
    const [namespace, name] = key.split('/');
    return `${name}.${namespace}.svc.${this.#domain}`;
  }
}
