import { familyOf, type IpAddress, type IpFamily, type IpPrefix, isIp, parsePrefix, prefixFamily } from '#ip';
import type { Node } from '#kube-api';
import { type NodeFacts, nodePortAddresses } from './table/facts.ts';

const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** What the agent knows beside the Node object. */
export interface NodeSettings {
  readonly clusterCIDRs: readonly IpPrefix[];
  readonly serviceCIDRs: readonly IpPrefix[];
  /** Service addresses answered on the node itself: the cluster DNS address. */
  readonly localAddresses: readonly IpAddress[];
  /** Whether the machine can carry packets of the family [always]: without it, the cluster's addresses of the family are none for this node. */
  readonly hasFamily?: (family: IpFamily) => boolean;
  /** Given the Node's own addresses, those that answer on NodePorts; the first of each family when absent. */
  readonly nodePortAddresses?: (primary: readonly IpAddress[]) => readonly IpAddress[];
}

/** What a node has by itself, as its Node object says. */
export function nodeAddresses(
  node: Node,
  ...types: readonly ('InternalIP' | 'ExternalIP')[]
): readonly IpAddress[] {
  return (node.status?.addresses ?? [])
    .filter(({ type }) => types.some((one) => one === type))
    .map(({ address }) => address)
    .filter(isIp);
}

/** The node's facts from its Node object; while there is none yet, only what the settings say. */
export function nodeFacts(name: string, node: Node | undefined, settings: NodeSettings): NodeFacts {
  const { hasFamily = () => true } = settings;
  const carried = (prefixes: readonly IpPrefix[]) =>
    prefixes.filter((prefix) => hasFamily(prefixFamily(prefix)));
  const reachable = (list: readonly IpAddress[]) => list.filter((address) => hasFamily(familyOf(address)));
  const addresses = reachable(node === undefined ? [] : nodeAddresses(node, 'InternalIP'));
  const { podCIDR, podCIDRs } = node?.spec ?? {};
  return {
    name,
    addresses,
    zone: node?.metadata?.labels?.[ZONE_LABEL],
    podCIDRs: carried(
      (podCIDRs ?? (podCIDR === undefined ? [] : [podCIDR])).map((text) => parsePrefix(text)),
    ),
    clusterCIDRs: carried(settings.clusterCIDRs),
    serviceCIDRs: carried(settings.serviceCIDRs),
    nodePortAddresses: reachable(
      settings.nodePortAddresses?.(addresses) ?? nodePortAddresses('primary', addresses, () => []),
    ),
    localAddresses: reachable(settings.localAddresses),
  };
}
