import {
  familyOf,
  IP_FAMILIES,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  parseIp,
  parsePrefix,
  prefixContains,
  prefixFamily,
} from '#ip';
import type { EndpointSlice, Service, ServicePort } from '#kube-api';
import { errorMessage } from '#runtime';
import { candidates } from './endpoints.ts';
import {
  type Frontend,
  type FrontendKind,
  isExternal,
  type Masquerade,
  type Protocol,
  type ServiceEntry,
  type Target,
} from './entry.ts';
import { familiesOf, type NodeFacts } from './facts.ts';
import { ipvsPreferences } from './ipvs-preferences.ts';
import type { OtherNodes } from './other-nodes.ts';
import { choosePools, type Pools } from './pools.ts';

/** Another proxy's Service (`service.kubernetes.io/service-proxy-name`), or one that wants no proxy: not ours. */
const FOREIGN_LABELS = [
  'service.kubernetes.io/service-proxy-name',
  'service.kubernetes.io/headless',
] as const;
const DEFAULT_AFFINITY_SECONDS = 10_800;

/** Whether the Service or EndpointSlice is left to someone else by its labels. */
export function isForeign(object: {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
}): boolean {
  return FOREIGN_LABELS.some((label) => object.metadata?.labels?.[label] !== undefined);
}

/** Every decision about one Service on this node; undefined when a proxy has nothing to do for it. */
export function decideService(
  service: Service,
  slices: Iterable<EndpointSlice>,
  facts: NodeFacts,
  otherNodes: Pick<OtherNodes, 'has'>,
): ServiceEntry | undefined {
  const spec = service.spec;
  if (spec === undefined || spec.type === 'ExternalName' || isForeign(service)) return undefined;
  const problems: string[] = [];
  const clusterIPs = addresses('spec.clusterIPs', clusterIPsOf(service), problems);
  if (clusterIPs.length === 0) return undefined;
  const asked = new Set(clusterIPs.map(familyOf));
  const families = asked.intersection(familiesOf(facts));
  const listed = [...slices];
  const ranges = sourceRanges(service, facts, problems);
  const ipvs = ipvsPreferences(service, problems);
  const frontends: Frontend[] = [];
  const readyLocal = new Set<IpAddress>();

  for (const port of spec.ports ?? []) {
    const protocol = protocolOf(port);
    if (protocol === undefined) {
      problems.push(`spec.ports: protocol ${JSON.stringify(port.protocol)} is not known`);
      continue;
    }
    for (const family of IP_FAMILIES) {
      if (!families.has(family)) continue;
      const name = port.name ?? '';
      const pools = choosePools(candidates(listed, { name, protocol, family }, facts.name, problems), facts);
      for (const endpoint of pools.readyLocal) readyLocal.add(endpoint.address);
      for (const place of places(service, port, clusterIPs, facts, problems)) {
        if (familyOf(place.address) !== family || facts.localAddresses.includes(place.address)) continue;
        const internal = place.kind === 'ClusterIP';
        const own = facts.addresses.includes(place.address);
        frontends.push({
          ...place,
          portName: name,
          family,
          protocol,
          elsewhere: isExternal(place) && !own && otherNodes.has(place.address),
          ...(internal ? internalPolicy(service, pools, facts, family) : externalPolicy(service, pools)),
          sourceRanges:
            place.kind === 'LoadBalancerIP'
              ? ranges?.filter((prefix) => prefixFamily(prefix) === family)
              : undefined,
          affinitySeconds: affinity(service),
          serving: pools.serving,
        });
      }
    }
  }
  const localOnly = spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';
  return {
    service: `${service.metadata?.namespace}/${service.metadata?.name}`,
    frontends,
    healthCheck:
      localOnly && spec.healthCheckNodePort !== undefined && spec.healthCheckNodePort > 0
        ? { port: spec.healthCheckNodePort, localEndpoints: readyLocal.size }
        : undefined,
    ...(Object.keys(ipvs).length > 0 && { ipvs }),
    missingFamilies: [...asked.difference(families)],
    problems: [...new Set(problems)],
    created: service.metadata?.creationTimestamp ?? '',
  };
}

type Place = Pick<Frontend, 'kind' | 'address' | 'port'>;

/** Every address and port number that this port of the Service answers on. */
function places(
  service: Service,
  port: ServicePort,
  clusterIPs: readonly IpAddress[],
  facts: NodeFacts,
  problems: string[],
): readonly Place[] {
  const at = (kind: FrontendKind, list: readonly IpAddress[], number: number): Place[] =>
    list.map((address) => ({ kind, address, port: number }));
  const exposed = service.spec?.type === 'NodePort' || service.spec?.type === 'LoadBalancer';
  // ipMode Proxy: the load balancer delivers to node ports and wants the VIP's traffic to pass through it (KEP-1860).
  const ingress = (service.status?.loadBalancer?.ingress ?? [])
    .filter(({ ip, ipMode }) => ip !== undefined && ip !== '' && ipMode !== 'Proxy')
    .map(({ ip }) => ip ?? '');
  const found = [
    ...at('ClusterIP', clusterIPs, port.port),
    ...at('ExternalIP', addresses('spec.externalIPs', service.spec?.externalIPs ?? [], problems), port.port),
    ...(service.spec?.type === 'LoadBalancer'
      ? at('LoadBalancerIP', addresses('status.loadBalancer.ingress', ingress, problems), port.port)
      : []),
    ...(exposed && port.nodePort !== undefined && port.nodePort > 0
      ? at('NodePort', facts.nodePortAddresses, port.nodePort)
      : []),
  ];
  // An external IP may repeat a load balancer's address; the first, stricter in nothing, stands.
  return found.filter(
    (place, i) =>
      found.findIndex((other) => other.address === place.address && other.port === place.port) === i,
  );
}

type Policy = Pick<Frontend, 'target' | 'outside' | 'masquerade'>;

function internalPolicy(service: Service, pools: Pools, facts: NodeFacts, family: IpFamily): Policy {
  const known = (prefixes: readonly IpPrefix[]) => prefixes.some((prefix) => prefixFamily(prefix) === family);
  return {
    target: service.spec?.internalTrafficPolicy === 'Local' ? pools.local : pools.cluster,
    outside: undefined,
    masquerade: known(facts.clusterCIDRs) ? 'outside-cluster' : 'none',
  };
}

/**
 * `externalTrafficPolicy: Local` binds what comes from outside; this node's own Pods and processes are "inside" and get the
 * cluster's endpoints, as if they had used the cluster IP.
 */
function externalPolicy(service: Service, pools: Pools): Policy {
  const local = service.spec?.externalTrafficPolicy === 'Local';
  const outside: Target | undefined = local && pools.local !== pools.cluster ? pools.local : undefined;
  const masquerade: Masquerade = local ? 'node-itself' : 'outside-node';
  return { target: pools.cluster, outside, masquerade };
}

function clusterIPsOf(service: Service): readonly string[] {
  const { clusterIP, clusterIPs } = service.spec ?? {};
  const all = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ''];
  return all.filter((text) => text !== '' && text !== 'None');
}

function addresses(field: string, texts: readonly string[], problems: string[]): readonly IpAddress[] {
  const found: IpAddress[] = [];
  for (const text of texts) {
    try {
      found.push(parseIp(text));
    } catch (error) {
      problems.push(`${field}: ${errorMessage(error)}`);
    }
  }
  return found;
}

/**
 * `spec.loadBalancerSourceRanges`. Where this node itself is let in, the load balancer's own address is too: a node that has the
 * VIP bound sends to it with the VIP as the source.
 */
function sourceRanges(
  service: Service,
  facts: NodeFacts,
  problems: string[],
): readonly IpPrefix[] | undefined {
  const ranges: IpPrefix[] = [];
  const texts = service.spec?.loadBalancerSourceRanges ?? [];
  if (texts.length === 0) return undefined;
  for (const text of texts) {
    try {
      ranges.push(parsePrefix(text.trim(), { allowHostBits: true }));
    } catch (error) {
      problems.push(`spec.loadBalancerSourceRanges: ${errorMessage(error)}`);
    }
  }
  if (facts.addresses.some((address) => ranges.some((range) => prefixContains(range, address))))
    for (const { ip } of service.status?.loadBalancer?.ingress ?? []) {
      const [address] = addresses('status.loadBalancer.ingress', ip === undefined ? [] : [ip], problems);
      if (address !== undefined)
        ranges.push(parsePrefix(`${address}/${familyOf(address) === 'IPv4' ? 32 : 128}`));
    }
  return withoutCovered(ranges);
}

/** Leaves out ranges inside other ranges: interval sets take no overlaps. */
function withoutCovered(ranges: readonly IpPrefix[]): readonly IpPrefix[] {
  const unique = [...new Set(ranges)];
  const inside = (a: IpPrefix, b: IpPrefix) =>
    a !== b &&
    prefixFamily(a) === prefixFamily(b) &&
    Number(a.slice(a.indexOf('/') + 1)) > Number(b.slice(b.indexOf('/') + 1)) &&
    prefixContains(b, a.slice(0, a.indexOf('/')) as IpAddress);
  return unique.filter((range) => !unique.some((other) => inside(range, other))).sort();
}

function affinity(service: Service): number | undefined {
  if (service.spec?.sessionAffinity !== 'ClientIP') return undefined;
  return service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
}

function protocolOf(port: ServicePort): Protocol | undefined {
  const protocol = port.protocol ?? 'TCP';
  return protocol === 'TCP' || protocol === 'UDP' || protocol === 'SCTP' ? protocol : undefined;
}
