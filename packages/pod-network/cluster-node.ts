import { type IpAddress, type IpPrefix, parseIp, parsePrefix, prefixesOverlap } from '#ip';
import type { Node } from '#kube-api';
import { errorMessage } from '#runtime';
import type { NodeProblem } from './problem.ts';

/** A node of the cluster, as far as the pod network cares. */
export interface ClusterNode {
  readonly name: string;
  /** Its InternalIP addresses, in the Node's order. */
  readonly addresses: readonly IpAddress[];
  /** The ranges its Pods' addresses come from, any families. */
  readonly podCidrs: readonly IpPrefix[];
}

/** Reads one Node. What cannot be read is left out and reported, so that one bad Node never stops the others. */
export function readClusterNode(node: Node): {
  readonly node: ClusterNode;
  readonly problems: readonly NodeProblem[];
} {
  const name = node.metadata?.name ?? '';
  const problems: NodeProblem[] = [];
  const read = <T>(field: string, texts: readonly string[], parse: (text: string) => T): T[] =>
    texts.flatMap((text) => {
      try {
        return [parse(text)];
      } catch (error) {
        problems.push({ node: name, reason: 'InvalidNode', message: `${field}: ${errorMessage(error)}` });
        return [];
      }
    });
  const internal = (node.status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  return {
    node: {
      name,
      addresses: read(
        'status.addresses',
        internal.map(({ address }) => address),
        parseIp,
      ),
      podCidrs: read('spec.podCIDRs', podCidrTexts(node), (text) => parsePrefix(text)),
    },
    problems,
  };
}

/** Pod CIDRs as the API gives them: `podCIDRs`, or the older `podCIDR` alone. */
export function podCidrTexts(node: Node): readonly string[] {
  const { podCIDR, podCIDRs } = node.spec ?? {};
  if (podCIDRs !== undefined && podCIDRs.length > 0) return podCIDRs;
  return podCIDR === undefined || podCIDR === '' ? [] : [podCIDR];
}

/** Whether two nodes' Pod ranges collide, and where. */
export function overlappingCidr(a: readonly IpPrefix[], b: readonly IpPrefix[]): IpPrefix | undefined {
  return a.find((left) => b.some((right) => prefixesOverlap(left, right)));
}
