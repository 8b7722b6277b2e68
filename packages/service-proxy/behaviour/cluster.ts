import { parseIp, parsePrefix } from '#ip';
import type { EndpointSlice, Service } from '#kube-api';
import type { NodeFacts } from '../table/facts.ts';

/**
 * The small cluster that behaviour is described in: this node with two Pods, another node with two, and a client outside. The suite runs
 * on a model of it and on namespaces.
 */
export const NODE_ADDRESS = parseIp('172.30.0.11');
export const OTHER_NODE_ADDRESS = parseIp('172.30.0.12');
export const OUTSIDE_ADDRESS = parseIp('198.51.100.10');
/** Routed to this node by the network around it, as a load balancer's or an external address. */
export const EXTERNAL_ADDRESS = parseIp('203.0.113.5');
export const CLUSTER_IP = parseIp('10.96.0.100');
export const OTHER_CLUSTER_IP = parseIp('10.96.0.101');
export const DNS_ADDRESS = parseIp('10.96.0.10');

export const PODS = {
  /** On this node. */
  a: parseIp('10.244.1.10'),
  b: parseIp('10.244.1.11'),
  /** On the other node. */
  c: parseIp('10.244.2.10'),
  d: parseIp('10.244.2.11'),
} as const;
export type PodName = keyof typeof PODS;

/** Processes of the nodes themselves, as Pods with the host's network. */
export const HOSTS = { here: NODE_ADDRESS, there: OTHER_NODE_ADDRESS } as const;

export const FACTS: NodeFacts = {
  name: 'node1',
  addresses: [NODE_ADDRESS],
  zone: 'east',
  podCIDRs: [parsePrefix('10.244.1.0/24')],
  clusterCIDRs: [parsePrefix('10.244.0.0/16')],
  serviceCIDRs: [parsePrefix('10.96.0.0/16')],
  nodePortAddresses: [NODE_ADDRESS],
  localAddresses: [DNS_ADDRESS],
};

export const SERVICE_PORT = 80;
export const TARGET_PORT = 8080;
export const NODE_PORT = 30_080;

/** The port of a Service, and of its endpoints in a slice. */
export const TCP_PORT = { name: 'main', port: SERVICE_PORT, protocol: 'TCP' };
export const TCP_TARGET = { name: 'main', port: TARGET_PORT, protocol: 'TCP' };
export const UDP_PORT = { ...TCP_PORT, protocol: 'UDP' };
export const UDP_TARGET = { ...TCP_TARGET, protocol: 'UDP' };

type ServiceSpec = NonNullable<Service['spec']>;

/** A Service `default/web` on {@link CLUSTER_IP}, one TCP port unless told otherwise. */
export function service(spec: Partial<ServiceSpec> = {}, more: Partial<Service> = {}): Service {
  return {
    metadata: { namespace: 'default', name: 'web', ...more.metadata },
    spec: {
      type: 'ClusterIP',
      clusterIP: CLUSTER_IP,
      clusterIPs: [CLUSTER_IP],
      ports: [TCP_PORT],
      ...spec,
    },
    ...(more.status === undefined ? {} : { status: more.status }),
  };
}

/** One that also answers on {@link NODE_PORT} of every node. */
export function nodePortService(spec: Partial<ServiceSpec> = {}): Service {
  return service({
    type: 'NodePort',
    ports: [{ ...TCP_PORT, nodePort: NODE_PORT }],
    ...spec,
  });
}

/** One with a load balancer at {@link EXTERNAL_ADDRESS}. */
export function balancedService(spec: Partial<ServiceSpec> = {}, ipMode: 'VIP' | 'Proxy' = 'VIP'): Service {
  return service(
    { ...nodePortService().spec, type: 'LoadBalancer', ...spec },
    { status: { loadBalancer: { ingress: [{ ip: EXTERNAL_ADDRESS, ipMode }] } } },
  );
}

type ApiEndpoint = NonNullable<EndpointSlice['endpoints']>[number];

/** A Pod with the host's network as an endpoint. */
export function hostEndpoint(host: keyof typeof HOSTS): ApiEndpoint {
  return {
    addresses: [HOSTS[host]],
    nodeName: host === 'here' ? 'node1' : 'node2',
    conditions: { ready: true },
  };
}

/** The Pod as an endpoint; ready unless told otherwise. */
export function endpoint(pod: PodName, more: Partial<ApiEndpoint> = {}): ApiEndpoint {
  return {
    addresses: [PODS[pod]],
    nodeName: pod === 'a' || pod === 'b' ? 'node1' : 'node2',
    conditions: { ready: true, serving: true, terminating: false },
    ...more,
  };
}

export const TERMINATING = { ready: false, serving: true, terminating: true };
export const NOT_READY = { ready: false, serving: false, terminating: false };

/** A slice of `default/web`. */
export function slice(
  endpoints: readonly (ApiEndpoint | PodName)[],
  more: Partial<EndpointSlice> & { readonly name?: string; readonly service?: string } = {},
): EndpointSlice {
  const { name = 'web-1', service: of = 'web', ...rest } = more;
  return {
    metadata: { namespace: 'default', name, labels: { 'kubernetes.io/service-name': of } },
    addressType: 'IPv4',
    ports: [TCP_TARGET],
    endpoints: endpoints.map((one) => (typeof one === 'string' ? endpoint(one) : one)),
    ...rest,
  };
}
