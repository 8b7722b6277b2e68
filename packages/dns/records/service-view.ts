import { type IpAddress, parseIp } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import type { DnsName } from '../wire/index.ts';

/** A port that has a name: only those have SRV records. */
export interface NamedPort {
  readonly name: string;
  /** Lower case, as in `_tcp`. */
  readonly protocol: string;
  readonly port: number;
}

export interface ServiceEndpoint {
  /** The endpoint's own hostname, or one made from its address: `10-1-0-2`. */
  readonly hostname: string;
  /** Whether the hostname was given and not made. */
  readonly named: boolean;
  readonly address: IpAddress;
  readonly ports: readonly NamedPort[];
  /** topology.kubernetes.io/zone of its node. */
  readonly zone: string | undefined;
}

/** What DNS says of one Service: every decision, before names and records. */
export type ServiceView =
  | {
      readonly kind: 'cluster-ip';
      readonly addresses: readonly IpAddress[];
      readonly ports: readonly NamedPort[];
      readonly endpoints: readonly ServiceEndpoint[];
    }
  | { readonly kind: 'headless'; readonly endpoints: readonly ServiceEndpoint[] }
  | { readonly kind: 'external'; readonly target: DnsName }
  /** A Service that has no address yet. */
  | { readonly kind: 'pending' };

const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i;
/** DNS specification section 2.1: how a Service asked for its unready endpoints before the field came. */
const TOLERATE_UNREADY = 'service.alpha.kubernetes.io/tolerate-unready-endpoints';

/** Kubernetes DNS specification 1.1.0, sections 2.3 to 2.5: what a Service and its EndpointSlices mean. */
export function serviceView(service: Service, slices: Iterable<EndpointSlice>): ServiceView {
  const spec = service.spec ?? {};
  if (spec.type === 'ExternalName') {
    const target = (spec.externalName ?? '').replace(/\.$/, '').toLowerCase();
    const valid = target.length <= 253 && target.split('.').every((label) => LABEL.test(label));
    return valid ? { kind: 'external', target } : { kind: 'pending' };
  }
  const all =
    spec.publishNotReadyAddresses === true || service.metadata?.annotations?.[TOLERATE_UNREADY] === 'true';
  if (isHeadless(service)) return { kind: 'headless', endpoints: endpointsOf(slices, all) };
  const addresses = clusterAddresses(service);
  if (addresses.length === 0) return { kind: 'pending' };
  return {
    kind: 'cluster-ip',
    addresses,
    ports: namedPorts(spec.ports ?? []),
    endpoints: endpointsOf(slices, all),
  };
}

export function isHeadless(service: Service): boolean {
  return service.spec?.type !== 'ExternalName' && service.spec?.clusterIP === 'None';
}

/** The cluster IPs, in the Service's order; none for headless and ExternalName ones. */
export function clusterAddresses(service: Service): readonly IpAddress[] {
  const { clusterIPs, clusterIP, type } = service.spec ?? {};
  if (type === 'ExternalName') return [];
  const texts = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ''];
  return texts.map(tryParseIp).filter((address) => address !== undefined);
}

/** Every address of a slice, whatever its endpoint's state. */
export function sliceAddresses(slice: EndpointSlice): readonly IpAddress[] {
  if (slice.addressType !== 'IPv4' && slice.addressType !== 'IPv6') return [];
  return (slice.endpoints ?? []).flatMap(({ addresses }) =>
    addresses.map(tryParseIp).filter((address) => address !== undefined),
  );
}

/** The hostname of an endpoint that was given none: its address, with what a label cannot hold as `-`. */
export function addressLabel(address: IpAddress): string {
  const text = address.replaceAll(/[.:]/g, '-');
  // `::1` would begin with a dash, which no host name may.
  return text.replace(/^-/, '0-').replace(/-$/, '-0');
}

function endpointsOf(slices: Iterable<EndpointSlice>, unreadyToo: boolean): readonly ServiceEndpoint[] {
  const endpoints = new Map<string, ServiceEndpoint>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4' && slice.addressType !== 'IPv6') continue;
    const ports = namedPorts(slice.ports ?? []);
    for (const { addresses, conditions, hostname, zone } of slice.endpoints ?? []) {
      // An unknown state counts as ready (EndpointConditions.ready).
      if (conditions?.ready === false && !unreadyToo) continue;
      const named = hostname !== undefined && LABEL.test(hostname);
      for (const text of addresses) {
        const address = tryParseIp(text);
        if (address === undefined) continue;
        const label = named ? hostname.toLowerCase() : addressLabel(address);
        // While an endpoint moves between slices it stands in both.
        const key = `${label} ${address}`;
        const seen = endpoints.get(key);
        const merged = seen === undefined ? ports : mergePorts(seen.ports, ports);
        endpoints.set(key, { hostname: label, named, address, ports: merged, zone });
      }
    }
  }
  return [...endpoints.values()];
}

function mergePorts(a: readonly NamedPort[], b: readonly NamedPort[]): readonly NamedPort[] {
  const same = (x: NamedPort, y: NamedPort) =>
    x.name === y.name && x.protocol === y.protocol && x.port === y.port;
  return [...a, ...b.filter((port) => !a.some((other) => same(port, other)))];
}

function namedPorts(
  ports: readonly { readonly name?: string; readonly protocol?: string; readonly port?: number }[],
): readonly NamedPort[] {
  return ports.flatMap(({ name, protocol, port }) =>
    name === undefined || !LABEL.test(name) || port === undefined
      ? []
      : [{ name: name.toLowerCase(), protocol: (protocol ?? 'TCP').toLowerCase(), port }],
  );
}

export function tryParseIp(text: string): IpAddress | undefined {
  try {
    return parseIp(text);
  } catch {
    return undefined;
  }
}
