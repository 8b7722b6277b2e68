import { type IpAddress, type IpPrefix, parsePrefix, prefixLength } from '#ip';
import {
  LAN,
  nodeAddress,
  nodeName,
  OUTSIDE,
  OUTSIDE_CLIENT,
  ROUTER_ON_LAN,
  ROUTER_ON_OUTSIDE,
} from './addresses.ts';

/** The supervisor's own namespace, or one pinned at /run/netns/NAME. */
export type TopologyNetns = string;
export const ROUTER: TopologyNetns = 'router';
export const OUTSIDE_NETNS: TopologyNetns = 'outside';
/** The bridge in the router that the nodes' links are ports of. */
export const LAN_BRIDGE = 'lan';
/** A node's (and the outside client's) only link to the world. */
export const NODE_LINK = 'eth0';

/** One step of making a lab's network: a value that prints as the iproute2 command it stands for. */
export type TopologyOperation =
  | { readonly op: 'netns'; readonly netns: TopologyNetns }
  | {
      readonly op: 'sysctl';
      readonly netns: TopologyNetns;
      readonly key: string;
      readonly value: string;
    }
  | { readonly op: 'bridge'; readonly netns: TopologyNetns; readonly name: string }
  | {
      readonly op: 'veth';
      readonly netns: TopologyNetns;
      readonly name: string;
      readonly master: string | undefined;
      readonly peer: { readonly netns: TopologyNetns; readonly name: string };
    }
  | {
      readonly op: 'address';
      readonly netns: TopologyNetns;
      readonly link: string;
      readonly address: IpAddress;
      readonly prefixLength: number;
    }
  | { readonly op: 'up'; readonly netns: TopologyNetns; readonly link: string }
  | {
      readonly op: 'route';
      readonly netns: TopologyNetns;
      readonly destination: IpPrefix;
      readonly gateway: IpAddress;
    };

/**
 * The network of a lab of `nodes` nodes:
 *
 *     node1 eth0 ─┐
 *     node2 eth0 ─┼─ lan (bridge) router ── outside eth0
 *     node3 eth0 ─┘
 *
 * Nodes and the outside client have the router as their default route; the router knows no Pod and no Service.
 */
export function planTopology({ nodes }: { readonly nodes: number }): readonly TopologyOperation[] {
  return [
    ...namespaceBasics(ROUTER),
    { op: 'bridge', netns: ROUTER, name: LAN_BRIDGE },
    ...addressed(ROUTER, LAN_BRIDGE, ROUTER_ON_LAN, LAN),
    ...stub(OUTSIDE_NETNS, OUTSIDE_NETNS, undefined, OUTSIDE_CLIENT, OUTSIDE, ROUTER_ON_OUTSIDE),
    ...addressed(ROUTER, OUTSIDE_NETNS, ROUTER_ON_OUTSIDE, OUTSIDE),
    ...Array.from({ length: nodes }, (_, i) => {
      const name = nodeName(i + 1);
      return stub(name, `lan-${name}`, LAN_BRIDGE, nodeAddress(i + 1), LAN, ROUTER_ON_LAN);
    }).flat(),
  ];
}

/** The operation as an iproute2 (or sysctl) command line. */
export function formatTopologyOperation(operation: TopologyOperation): string {
  const ip = operation.netns === ROUTER ? 'ip' : `ip -n ${operation.netns}`;
  switch (operation.op) {
    case 'netns':
      return `ip netns add ${operation.netns}`;
    case 'sysctl': {
      const inside = operation.netns === ROUTER ? '' : `ip netns exec ${operation.netns} `;
      return `${inside}sysctl -w ${operation.key}=${operation.value}`;
    }
    case 'bridge':
      return `${ip} link add ${operation.name} type bridge`;
    case 'veth': {
      const master = operation.master === undefined ? '' : ` master ${operation.master}`;
      return `${ip} link add ${operation.name} up${master} type veth peer name ${operation.peer.name} netns ${operation.peer.netns}`;
    }
    case 'address':
      return `${ip} address add ${operation.address}/${operation.prefixLength} dev ${operation.link}`;
    case 'up':
      return `${ip} link set ${operation.link} up`;
    case 'route':
      return `${ip} route add ${operation.destination} via ${operation.gateway}`;
  }
}

/** Settings that a new namespace would otherwise copy from this machine, whatever they are there. */
function namespaceBasics(netns: TopologyNetns): readonly TopologyOperation[] {
  return [
    { op: 'sysctl', netns, key: 'net.ipv4.ip_forward', value: '1' },
    // A node answers for Service addresses it does not have and forwards for its Pods: no source address checks.
    { op: 'sysctl', netns, key: 'net.ipv4.conf.all.rp_filter', value: '0' },
    { op: 'sysctl', netns, key: 'net.ipv4.conf.default.rp_filter', value: '0' },
    { op: 'up', netns, link: 'lo' },
  ];
}

function addressed(
  netns: TopologyNetns,
  link: string,
  address: IpAddress,
  prefix: IpPrefix,
): readonly TopologyOperation[] {
  return [
    { op: 'address', netns, link, address, prefixLength: prefixLength(prefix) },
    { op: 'up', netns, link },
  ];
}

/** A namespace with one link, to the router. */
function stub(
  netns: TopologyNetns,
  routerLink: string,
  master: string | undefined,
  address: IpAddress,
  prefix: IpPrefix,
  gateway: IpAddress,
): readonly TopologyOperation[] {
  return [
    { op: 'netns', netns },
    ...namespaceBasics(netns),
    { op: 'veth', netns: ROUTER, name: routerLink, master, peer: { netns, name: NODE_LINK } },
    ...addressed(netns, NODE_LINK, address, prefix),
    { op: 'route', netns, destination: parsePrefix('0.0.0.0/0'), gateway },
  ];
}
