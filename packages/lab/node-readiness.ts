import type { Node } from '#kube-api';

/** Why a Node cannot take Pods yet, in words; undefined when it can: Ready, and with Pod addresses of its own. */
export function whyNotReady(node: Node): string | undefined {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status !== 'True') return ready?.message ?? ready?.reason ?? 'its kubelet has not reported';
  if (!node.spec?.podCIDR) return 'it has no Pod CIDR';
  return undefined;
}

/** What keeps a lab of these nodes from being ready, a line a node. */
export function missingNodes(names: readonly string[], nodes: readonly Node[]): readonly string[] {
  return names.flatMap((name) => {
    const node = nodes.find(({ metadata }) => metadata?.name === name);
    const why = node === undefined ? 'it is not registered' : whyNotReady(node);
    return why === undefined ? [] : [`${name} is not Ready: ${why}`];
  });
}

/** A node's addresses, and those of its Pods: one of each family of the lab, its first family's by itself too. */
export interface NodeAddresses {
  readonly ip: string | undefined;
  readonly ips: readonly string[];
  readonly podCIDR: string | undefined;
  readonly podCIDRs: readonly string[];
}

export function nodeAddresses({ spec, status }: Node): NodeAddresses {
  const internal = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  const ips = internal.flatMap(({ address }) => address ?? []);
  const podCIDRs = spec?.podCIDRs ?? [];
  return { ip: ips[0], ips, podCIDR: podCIDRs[0], podCIDRs };
}
