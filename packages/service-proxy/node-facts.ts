import { type IpAddress, type IpPrefix, isIp, parsePrefix } from '#ip';
import type { Node } from '#kube-api';
import { type NodeFacts, nodePortAddresses } from './table/facts.ts';

const ZONE_LABEL = 'topology.kubernetes.io/zone';

/** What the agent knows beside the Node object. */
export interface NodeSettings {
  readonly clusterCIDRs: readonly IpPrefix[];
  readonly serviceCIDRs: readonly IpPrefix[];
  /** Service addresses answered on the node itself: the cluster DNS address. */
  readonly localAddresses: readonly IpAddress[];
  /** Given the Node's own addresses, those that answer on NodePorts; the first of each family when absent. */
  readonly nodePortAddresses?: (primary: readonly IpAddress[]) => readonly IpAddress[];
}

/** The node's facts from its Node object; while there is none yet, only what the settings say. */
export function nodeFacts(name: string, node: Node | undefined, settings: NodeSettings): NodeFacts {
  const addresses = (node?.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP')
    .map(({ address }) => address)
    .filter(isIp);
  const { podCIDR, podCIDRs } = node?.spec ?? {};
  return {
    name,
    addresses,
    zone: node?.metadata?.labels?.[ZONE_LABEL],
    podCIDRs: (podCIDRs ?? (podCIDR === undefined ? [] : [podCIDR])).map((text) => parsePrefix(text)),
    clusterCIDRs: settings.clusterCIDRs,
    serviceCIDRs: settings.serviceCIDRs,
    nodePortAddresses:
      settings.nodePortAddresses?.(addresses) ?? nodePortAddresses('primary', addresses, () => []),
    localAddresses: settings.localAddresses,
  };
}
