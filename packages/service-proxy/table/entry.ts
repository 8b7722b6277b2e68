import type { IpAddress, IpFamily, IpPrefix } from '#ip';
import type { IpvsPreferences } from './ipvs-preferences.ts';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';

/** `ADDRESS PROTOCOL PORT`: what a packet is addressed to. One frontend of the table at most has it. */
export type FrontendKey = string & { readonly __frontendKey: unique symbol };

export function frontendKey(address: IpAddress, protocol: Protocol, port: number): FrontendKey {
  return `${address} ${protocol} ${port}` as FrontendKey;
}

/** A place that answers. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
  /** On this node. */
  readonly local: boolean;
}

/** What happens to a new connection: one of the endpoints, an answer "refused", or silence. */
export type Target =
  | { readonly kind: 'endpoints'; readonly endpoints: readonly Endpoint[] }
  | { readonly kind: 'reject' }
  | { readonly kind: 'drop' };

export const REJECT: Target = { kind: 'reject' };
export const DROP: Target = { kind: 'drop' };

/**
 * Which sources lose their address on the way to an endpoint, because the reply would not come back through this node
 * otherwise. (A Pod that reaches itself is always masqueraded.)
 * - `outside-cluster`: all but Pods (and nothing when the Pods' range is unknown)
 * - `outside-node`: all but this node's own Pods
 * - `node-itself`: only the node's own processes
 * - `none`
 */
export type Masquerade = 'outside-cluster' | 'outside-node' | 'node-itself' | 'none';

export type FrontendKind = 'ClusterIP' | 'ExternalIP' | 'LoadBalancerIP' | 'NodePort';

/** One address and port that a Service answers on, and every decision about it. */
export interface Frontend {
  readonly kind: FrontendKind;
  /** Name of the Service's port; '' when it has none. */
  readonly portName: string;
  readonly family: IpFamily;
  readonly address: IpAddress;
  readonly protocol: Protocol;
  readonly port: number;
  /**
   * Another node has the address by itself, and answers there: a mechanism that answers where an address is this node's own must leave it, or
   * nothing of that node could be reached from here.
   */
  readonly elsewhere: boolean;
  /** For every source, or with {@link outside} for this node's Pods and processes only. */
  readonly target: Target;
  /** For sources that are neither on this node nor its Pods; undefined: {@link target} too. */
  readonly outside: Target | undefined;
  readonly masquerade: Masquerade;
  /** Only these sources may come in; undefined: all. */
  readonly sourceRanges: readonly IpPrefix[] | undefined;
  /** A client address stays with its endpoint until this long after its last connection, seconds. undefined: no affinity. */
  readonly affinitySeconds: number | undefined;
  /** Endpoints that serve, whatever the policies say: flows that already go to one of them are left alone. */
  readonly serving: readonly Endpoint[];
}

export interface ServiceEntry {
  /** `namespace/name` */
  readonly service: string;
  readonly frontends: readonly Frontend[];
  /** `spec.healthCheckNodePort`: answers 200 while this node has ready endpoints. */
  readonly healthCheck: { readonly port: number; readonly localEndpoints: number } | undefined;
  /** What the Service asks of one mechanism; the others pass over it. */
  readonly ipvs?: IpvsPreferences;
  /** Of the Service's addresses, but not this node's: nothing is carried there. */
  readonly missingFamilies: readonly IpFamily[];
  /** What in the objects could not be used, for the log. */
  readonly problems: readonly string[];
  /** Orders Services that claim the same address and port: the oldest has it. */
  readonly created: string;
}

/** Whether the address may be a node's own as well: it comes from outside the cluster. */
export function isExternal({ kind }: Pick<Frontend, 'kind'>): boolean {
  return kind === 'ExternalIP' || kind === 'LoadBalancerIP';
}

export function keyOf({
  address,
  protocol,
  port,
}: Pick<Frontend, 'address' | 'protocol' | 'port'>): FrontendKey {
  return frontendKey(address, protocol, port);
}

/** Every endpoint that new connections of the frontend can reach. */
export function reachableEndpoints(frontend: Frontend): readonly Endpoint[] {
  const inside = frontend.target.kind === 'endpoints' ? frontend.target.endpoints : [];
  const outside = frontend.outside?.kind === 'endpoints' ? frontend.outside.endpoints : [];
  if (outside.length === 0) return inside;
  const known = new Set(inside.map((endpoint) => `${endpoint.address} ${endpoint.port}`));
  return [...inside, ...outside.filter((endpoint) => !known.has(`${endpoint.address} ${endpoint.port}`))];
}
