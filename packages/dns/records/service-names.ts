import type { DnsName, ResourceRecord } from '../wire/index.ts';
import { addressData, EMPTY, endpointNode, type Node, serviceNode, srvData, zonalNode } from './nodes.ts';
import { record } from './resolution.ts';
import type { NamedPort, ServiceView } from './service-view.ts';

/** `ZONE._zone.SERVICE.NAMESPACE.svc.ZONE`: those endpoints of a headless Service that are in one zone of the cluster. */
const ZONES_LABEL = '_zone';

type ServiceWithEndpoints = ServiceView & { readonly kind: 'cluster-ip' | 'headless' };

/** What is at a name below a Service's: `rest` are the labels from there on, downwards. `ttl` in seconds. */
export function nodeBelowService(
  view: ServiceView,
  serviceName: DnsName,
  rest: readonly string[],
  ttl: number,
): Node | undefined {
  const [label = '', port, ...more] = rest;
  if (more.length > 0 || view.kind === 'external' || view.kind === 'pending') return undefined;
  if (label === ZONES_LABEL && view.kind === 'headless') return zonalNode(view.endpoints, port);
  if (label.startsWith('_')) {
    const node = protocolNode(view, serviceName, label.slice(1), port, ttl);
    if (node !== undefined) return node;
  }
  return port === undefined ? endpointNode(view.endpoints, label) : undefined;
}

/** Every record that a Service has, at its name and below. */
export function* serviceRecords(
  view: ServiceView,
  serviceName: DnsName,
  ttl: number,
): Generator<ResourceRecord> {
  for (const data of serviceNode(view)?.records ?? []) yield record(serviceName, ttl, data);
  if (view.kind === 'external' || view.kind === 'pending') return;
  for (const [labels, node] of nodesBelow(view, serviceName, ttl))
    for (const data of node?.records ?? []) yield record(`${labels}.${serviceName}`, ttl, data);
}

/** As {@link nodeBelowService} answers for each name; endpoints are grouped first, for there may be thousands of one Service. */
function* nodesBelow(
  view: ServiceWithEndpoints,
  serviceName: DnsName,
  ttl: number,
): Generator<readonly [string, Node | undefined]> {
  for (const labels of new Set(portsOf(view).map(({ name, protocol }) => `_${name}._${protocol}`))) {
    const [port, protocol = ''] = labels.split('.');
    yield [labels, protocolNode(view, serviceName, protocol.slice(1), port, ttl)];
  }
  for (const [hostname, endpoints] of Map.groupBy(view.endpoints, (endpoint) => endpoint.hostname))
    yield [
      hostname,
      // Such a hostname may be hidden by a protocol's name.
      hostname.startsWith('_')
        ? nodeBelowService(view, serviceName, [hostname], ttl)
        : endpointNode(endpoints, hostname),
    ];
  if (view.kind !== 'headless') return;
  // A zone with dots is more than one label, and nobody can ask for it.
  for (const [zone, endpoints] of Map.groupBy(view.endpoints, (endpoint) => endpoint.zone?.toLowerCase()))
    if (zone !== undefined && /^[a-z0-9_-]+$/.test(zone))
      yield [`${zone}.${ZONES_LABEL}`, zonalNode(endpoints, zone)];
}

/** `_tcp.SERVICE` (exists, holds nothing) and `_PORT._tcp.SERVICE` (SRV records). */
function protocolNode(
  view: ServiceWithEndpoints,
  serviceName: DnsName,
  protocol: string,
  port: string | undefined,
  ttl: number,
): Node | undefined {
  const isProtocol = (named: NamedPort) => named.protocol === protocol;
  const all = portsOf(view);
  if (port === undefined) return all.some(isProtocol) ? EMPTY : undefined;
  const isPort = (named: NamedPort) => isProtocol(named) && `_${named.name}` === port;
  if (!all.some(isPort)) return undefined;
  if (view.kind === 'cluster-ip')
    return {
      records: view.ports.filter(isPort).map((named) => srvData(named.port, serviceName, 1)),
      additionals: view.addresses.map((address) => record(serviceName, ttl, addressData(address))),
    };
  const offering = view.endpoints.flatMap((endpoint) =>
    endpoint.ports.filter(isPort).map((named) => ({ ...endpoint, port: named.port })),
  );
  const targets = new Map(offering.map((each) => [`${each.hostname} ${each.port}`, each]));
  return {
    records: [...targets.values()].map((each) =>
      srvData(each.port, `${each.hostname}.${serviceName}`, targets.size),
    ),
    additionals: offering.map((each) =>
      record(`${each.hostname}.${serviceName}`, ttl, addressData(each.address)),
    ),
  };
}

/** The ports that SRV records are of; of a headless Service each as often as endpoints offer it. */
function portsOf(view: ServiceWithEndpoints): readonly NamedPort[] {
  return view.kind === 'headless' ? view.endpoints.flatMap(({ ports }) => ports) : view.ports;
}
