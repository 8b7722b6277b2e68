import { createHash } from 'node:crypto';
import type { IpAddress, MacAddress } from '#ip';
import { familyOf, ipToBytes, macFromBytes } from '#ip';
import type { PortMapping } from './network-config.ts';

/** Which attachment: one interface of one container on one network (CNI specification 1.1.0 section 2). */
export interface AttachmentKey {
  readonly network: string;
  readonly containerId: string;
  readonly ifName: string;
}

/** What the agent remembers of one, from before it touches the kernel until all is gone. */
export interface Attachment extends AttachmentKey {
  readonly netns: string;
  /** The node's end of the veth pair. */
  readonly hostLink: string;
  readonly addresses: readonly IpAddress[];
  readonly portMappings: readonly PortMapping[];
  /** `namespace/name` of the Pod, when the runtime told. */
  readonly pod: string | undefined;
  /** false while ADD is under way, or was when the agent died. */
  readonly complete: boolean;
}

export function formatKey({ network, containerId, ifName }: AttachmentKey): string {
  return `${network}/${containerId}/${ifName}`;
}

/** The host end's name: known from the key alone, so that a half-made one is found again. 15 characters, the most. */
export function hostLinkName(key: AttachmentKey): string {
  return `pod${createHash('sha256').update(formatKey(key)).digest('hex').slice(0, 12)}`;
}

/** The name of the ifb link that limits what the Pod sends, when there is a limit; known from its host end's alone. */
export function shaperLinkName(hostLink: string): string {
  return `ifb${hostLink.slice(3)}`;
}

/**
 * A MAC address made from the Pod's address: a reused address keeps its MAC, so no neighbour cache goes stale.
 * 0a:58 is locally administered; the rest is the last four bytes.
 */
export function macOf(addresses: readonly IpAddress[]): MacAddress | undefined {
  const address = addresses.find((each) => familyOf(each) === 'IPv4') ?? addresses[0];
  return address === undefined
    ? undefined
    : macFromBytes(Uint8Array.of(0x0a, 0x58, ...ipToBytes(address).slice(-4)));
}
