import { type IpAddress, type IpFamily, type IpPrefix, prefixLength } from '#ip';
import { type AddressPlan, addressPlans, nodeAddress, nodeName } from './addresses.ts';
import type { LabOptions } from './options.ts';

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
export function planTopology({
  nodes,
  ipFamily,
}: Pick<LabOptions, 'nodes' | 'ipFamily'>): readonly TopologyOperation[] {
  const plans = addressPlans(ipFamily);
  const stub = stubOf(plans);
  return [
    ...namespaceBasics(ROUTER, plans),
    { op: 'bridge', netns: ROUTER, name: LAN_BRIDGE },
    ...addressed(
      ROUTER,
      LAN_BRIDGE,
      plans.map(({ routerOnLan, lan }) => [routerOnLan, lan]),
    ),
    ...stub(OUTSIDE_NETNS, OUTSIDE_NETNS, undefined, ({ outsideClient, outside, routerOnOutside }) => ({
      address: outsideClient,
      prefix: outside,
      gateway: routerOnOutside,
    })),
    ...addressed(
      ROUTER,
      OUTSIDE_NETNS,
      plans.map(({ routerOnOutside, outside }) => [routerOnOutside, outside]),
    ),
    ...Array.from({ length: nodes }, (_, i) => {
      const name = nodeName(i + 1);
      return stub(name, `lan-${name}`, LAN_BRIDGE, (plan) => ({
        address: nodeAddress(plan, i + 1),
        prefix: plan.lan,
        gateway: plan.routerOnLan,
      }));
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
const SETTINGS: Readonly<Record<IpFamily, readonly (readonly [key: string, value: string])[]>> = {
  IPv4: [
    ['net.ipv4.ip_forward', '1'],
    // A node answers for Service addresses it does not have and forwards for its Pods: no source address checks.
    ['net.ipv4.conf.all.rp_filter', '0'],
    ['net.ipv4.conf.default.rp_filter', '0'],
  ],
  IPv6: [
    ['net.ipv6.conf.all.disable_ipv6', '0'],
    ['net.ipv6.conf.default.disable_ipv6', '0'],
    ['net.ipv6.conf.all.forwarding', '1'],
    // Nobody else is on these links: an address need not wait a second until it is known that nobody has it.
    ['net.ipv6.conf.all.accept_dad', '0'],
    ['net.ipv6.conf.default.accept_dad', '0'],
  ],
};

function namespaceBasics(netns: TopologyNetns, plans: readonly AddressPlan[]): readonly TopologyOperation[] {
  return [
    ...plans.flatMap(({ family }) =>
      SETTINGS[family].map(([key, value]): TopologyOperation => ({ op: 'sysctl', netns, key, value })),
    ),
    { op: 'up', netns, link: 'lo' },
  ];
}

function addressed(
  netns: TopologyNetns,
  link: string,
  addresses: readonly (readonly [address: IpAddress, prefix: IpPrefix])[],
): readonly TopologyOperation[] {
  return [
    ...addresses.map(([address, prefix]): TopologyOperation => {
      return { op: 'address', netns, link, address, prefixLength: prefixLength(prefix) };
    }),
    { op: 'up', netns, link },
  ];
}

/** A namespace's place on a link that leads to the router. */
interface Place {
  readonly address: IpAddress;
  readonly prefix: IpPrefix;
  readonly gateway: IpAddress;
}

/** Namespaces with one link, to the router. */
function stubOf(plans: readonly AddressPlan[]) {
  return (
    netns: TopologyNetns,
    routerLink: string,
    master: string | undefined,
    placeOf: (plan: AddressPlan) => Place,
  ): readonly TopologyOperation[] => [
    { op: 'netns', netns },
    ...namespaceBasics(netns, plans),
    { op: 'veth', netns: ROUTER, name: routerLink, master, peer: { netns, name: NODE_LINK } },
    ...addressed(
      netns,
      NODE_LINK,
      plans.map(placeOf).map(({ address, prefix }) => [address, prefix]),
    ),
    ...plans.map((plan): TopologyOperation => {
      return { op: 'route', netns, destination: plan.everywhere, gateway: placeOf(plan).gateway };
    }),
  ];
}
