import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { addressRange, type NodeNetwork } from '#cni';
import { type IpFamily, type IpPrefix, parsePrefix, prefixFamily } from '#ip';
import type { Node } from '#kube-api';
import { type PodNetwork, readClusterNode } from '#pod-network';
import { writeFileAtomically } from '#runtime';

/** What a node's Pods get, as it is remembered between runs of the agent. */
export interface PodRanges {
  readonly podCidrs: readonly IpPrefix[];
  /** Bytes. */
  readonly mtu: number;
}

/** As the Node and the node's links say; undefined until both do. */
export function podRanges(
  nodeName: string,
  nodes: readonly Node[],
  network: PodNetwork,
): PodRanges | undefined {
  const own = nodes.find((node) => node.metadata?.name === nodeName);
  if (own === undefined) return undefined;
  const { podCidrs } = readClusterNode(own).node;
  const mtu = network.podMtu(nodes);
  return podCidrs.length === 0 || mtu === undefined ? undefined : { podCidrs, mtu };
}

/** A Pod gets an address of each family, in the order of the Node's Pod CIDRs. */
export function nodeNetwork({ podCidrs, mtu }: PodRanges): NodeNetwork {
  const families = [...new Set(podCidrs.map(prefixFamily))];
  const ofFamily = (family: IpFamily) => podCidrs.filter((cidr) => prefixFamily(cidr) === family);
  return { ranges: families.map((family) => ofFamily(family).map(addressRange)), mtu };
}

/** What the last run found, so that Pods can be added while the API server is away; undefined when nothing is known. */
export function recallPodRanges(path: string): PodRanges | undefined {
  try {
    const { podCidrs, mtu } = JSON.parse(readFileSync(path, 'utf8')) as {
      podCidrs: readonly string[];
      mtu: number;
    };
    return { podCidrs: podCidrs.map((text) => parsePrefix(text)), mtu };
  } catch {
    // None yet, or not readable: the API server will tell.
    return undefined;
  }
}

export function rememberPodRanges(path: string, ranges: PodRanges): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileAtomically(path, `${JSON.stringify(ranges)}\n`, 0o600);
}
