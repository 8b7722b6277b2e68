import type { IpFamily } from '#ip';
import {
  type Endpoint,
  type EndpointPort,
  matchesServiceSelector,
  type Node,
  type Service,
  type ServicePort,
} from '#kube-api';
import { isReady, isTerminal, isTerminating, podIpOf, type StoredPod } from '../base/pods.ts';
import type { Stored } from '../base/stored.ts';
import { endpointHints } from './endpoint-hints.ts';

/** Endpoints that share their port numbers. Pods resolve named ports each for themselves, so a Service may have several groups. */
export interface EndpointGroup {
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

/** What a Service's Pods offer in one family, grouped by ports. `nodeOf` finds a node by name. */
export function endpointGroups(
  service: Stored<Service>,
  pods: readonly StoredPod[],
  family: IpFamily,
  nodeOf: (name: string) => Node | undefined,
): readonly EndpointGroup[] {
  const groups = new Map<
    string,
    { readonly ports: readonly EndpointPort[]; readonly endpoints: Endpoint[] }
  >();
  for (const pod of pods) {
    const address = podIpOf(pod, family);
    const selected = matchesServiceSelector(service.spec?.selector, pod.metadata.labels);
    if (!selected || address === undefined || isTerminal(pod)) continue;
    const ports = (service.spec?.ports ?? []).flatMap((port) => endpointPort(port, pod) ?? []);
    const key = portsKey(ports);
    const group = groups.get(key) ?? { ports, endpoints: [] };
    groups.set(key, group);
    group.endpoints.push(endpointOf(service, pod, address, nodeOf));
  }
  return [...groups.values()];
}

/** A text that is the same for the same set of ports. */
export function portsKey(ports: readonly EndpointPort[]): string {
  return ports
    .map(({ name, port, protocol, appProtocol }) =>
      [name ?? '', port, protocol ?? 'TCP', appProtocol ?? ''].join(':'),
    )
    .toSorted()
    .join(',');
}

export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === 'None';
}

/** undefined where the Pod has no container port of the name that the Service targets. */
function endpointPort(port: ServicePort, pod: StoredPod): EndpointPort | undefined {
  const number = resolveTargetPort(port, pod);
  if (number === undefined) return undefined;
  return {
    name: port.name ?? '',
    port: number,
    protocol: port.protocol ?? 'TCP',
    ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
  };
}

function resolveTargetPort(
  { targetPort, port, protocol = 'TCP' }: ServicePort,
  pod: StoredPod,
): number | undefined {
  if (targetPort === undefined || targetPort === 0) return port;
  if (typeof targetPort === 'number') return targetPort;
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...(pod.spec?.containers ?? []), ...sidecars]
    .flatMap(({ ports = [] }) => ports)
    .find((one) => one.name === targetPort && (one.protocol ?? 'TCP') === protocol)?.containerPort;
}

function endpointOf(
  service: Stored<Service>,
  pod: StoredPod,
  address: string,
  nodeOf: (name: string) => Node | undefined,
): Endpoint {
  const { nodeName, hostname, subdomain } = pod.spec ?? {};
  const zone =
    nodeName === undefined ? undefined : nodeOf(nodeName)?.metadata?.labels?.['topology.kubernetes.io/zone'];
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const hints = ready ? endpointHints(service.spec?.trafficDistribution, nodeName, zone) : undefined;
  const { name, namespace, uid } = pod.metadata;
  return {
    addresses: [address],
    conditions: {
      ready,
      serving,
      terminating,
    },
    ...(hostname !== undefined && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    ...(hints === undefined ? {} : { hints }),
    targetRef: { kind: 'Pod', namespace, name, uid },
  };
}
