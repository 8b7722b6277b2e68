import { familyOf, type IpAddress, type IpPrefix, prefixContains, prefixFamily, prefixOf } from '#ip';
import type { InterfaceAddress } from '#kernel';
import type { ClusterNode } from './cluster-node.ts';
import type { NodeProblem } from './problem.ts';

/** All a backend decides from: the cluster's nodes, and where this node is attached. */
export interface NetworkView {
  readonly local: ClusterNode;
  /** The other nodes, ordered by name. */
  readonly remotes: readonly ClusterNode[];
  /** The addresses on this node's own links. */
  readonly attachments: readonly Attachment[];
}

/** An address of this node: its link reaches every address of `prefix` without a router. */
export interface Attachment {
  readonly link: string;
  readonly address: IpAddress;
  readonly prefix: IpPrefix;
}

export function attachmentOf({ link, address, prefixLength }: InterfaceAddress): Attachment {
  return { link, address, prefix: prefixOf(address, prefixLength) };
}

/** The attachment whose link reaches `address` directly: the one with the longest prefix. */
export function attachmentTo(view: NetworkView, address: IpAddress): Attachment | undefined {
  return view.attachments
    .filter(({ prefix, address: own }) => own !== address && prefixContains(prefix, address))
    .sort((a, b) => lengthOf(b) - lengthOf(a))[0];
}

/** The attachments that carry this node's own InternalIP addresses: its links to the other nodes. */
export function uplinks(view: NetworkView): readonly Attachment[] {
  return view.attachments.filter(({ address }) => view.local.addresses.includes(address));
}

/** This node's address, or a problem naming what it lacks. */
export function addressFor(node: ClusterNode, cidr: IpPrefix): IpAddress | NodeProblem {
  const family = prefixFamily(cidr);
  return (
    node.addresses.find((address) => familyOf(address) === family) ?? {
      node: node.name,
      reason: 'NoAddress',
      message: `the Node has Pod CIDR ${cidr} but no InternalIP of family ${family} (it has ${node.addresses.join(', ') || 'none'})`,
    }
  );
}

function lengthOf(attachment: Attachment): number {
  return Number(attachment.prefix.slice(attachment.prefix.indexOf('/') + 1));
}
