import { type IpPrefix, parsePrefix, prefixesOverlap, prefixFamily, prefixLength, subnet } from '#ip';
import type { Node } from '#kube-api';
import type { Stored } from '../base/stored.ts';

/** A range from which every node gets one network of `nodeLength` bits. One a family. */
export interface PodRange {
  readonly cidr: IpPrefix;
  readonly nodeLength: number;
}

export interface NodeIpamPlan {
  /** By node name. */
  readonly assign: ReadonlyMap<string, readonly IpPrefix[]>;
  /** Nodes for which a range has no network left. */
  readonly without: readonly string[];
}

/** Gives each node that has none the lowest free network of every range, the longest-waiting node first. */
export function planNodeIpam(ranges: readonly PodRange[], nodes: readonly Stored<Node>[]): NodeIpamPlan {
  const taken = nodes.flatMap(podCidrsOf);
  const cursors = ranges.map((range) => freeNetworks(range, taken));
  const assign = new Map<string, readonly IpPrefix[]>();
  const without: string[] = [];
  const waiting = nodes
    .filter((node) => podCidrsOf(node).length === 0 && node.metadata.deletionTimestamp === undefined)
    .toSorted(oldestFirst);
  for (const { metadata } of ranges.length === 0 ? [] : waiting) {
    const networks = cursors.map((cursor) => cursor.next().value);
    if (networks.some((network) => network === undefined)) without.push(metadata.name);
    else
      assign.set(
        metadata.name,
        networks.filter((network) => network !== undefined),
      );
  }
  return { assign, without };
}

function podCidrsOf({ spec }: Node): readonly IpPrefix[] {
  const texts = spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
  return texts.map((text) => parsePrefix(text));
}

function* freeNetworks(
  { cidr, nodeLength }: PodRange,
  taken: readonly IpPrefix[],
): Generator<IpPrefix, undefined> {
  const family = prefixFamily(cidr);
  const near = taken.filter((prefix) => prefixFamily(prefix) === family);
  // More nodes than 2^20 no cluster has; a /48 of /64s is not walked to its end.
  const count = 2 ** Math.min(20, nodeLength - prefixLength(cidr));
  for (let index = 0; index < count; index++) {
    const network = subnet(cidr, nodeLength, index);
    if (!near.some((prefix) => prefixesOverlap(prefix, network))) yield network;
  }
  return undefined;
}

function oldestFirst(a: Stored<Node>, b: Stored<Node>): number {
  const [left, right] = [a.metadata, b.metadata];
  if (left.creationTimestamp !== right.creationTimestamp)
    return left.creationTimestamp < right.creationTimestamp ? -1 : 1;
  return left.name.localeCompare(right.name, 'en', { numeric: true });
}
