import type { IpAddress, MacAddress } from '#ip';
import type { NetworkNamespace } from './namespace.ts';

export type LinkKind = 'veth' | 'bridge' | 'dummy' | 'vxlan' | 'ifb' | 'loopback' | 'other';

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly kind: LinkKind;
  readonly mac: MacAddress | undefined;
  /** Bytes. */
  readonly mtu: number;
  readonly up: boolean;
  /** ifindex of the bridge it is a port of. */
  readonly master: number | undefined;
  /** ifindex of a veth's other end, in that end's namespace. */
  readonly peerIndex: number | undefined;
  readonly alias: string | undefined;
  /** Bridge port: a frame may leave by the port it came in by. */
  readonly hairpin: boolean;
  /** Bridge port: gets what other ports broadcast and multicast; what the bridge's own host sends it always gets. */
  readonly flooded: boolean;
  readonly vxlan: VxlanOptions | undefined;
}

export interface VxlanOptions {
  /** 24-bit VXLAN network identifier (RFC 7348). */
  readonly vni: number;
  /** UDP. */
  readonly port: number;
  /** Where its outer packets are from. */
  readonly local: IpAddress | undefined;
  /** By which link they leave. */
  readonly link: string | undefined;
  /** Learns from what arrives which MAC address is at which remote end. */
  readonly learning: boolean;
}

interface NewLink {
  readonly name: string;
  readonly mac?: MacAddress;
  readonly mtu?: number;
  readonly up?: boolean;
  readonly alias?: string;
}

export type LinkSpec =
  | (NewLink & { readonly kind: 'dummy' })
  | (NewLink & { readonly kind: 'bridge' })
  | (NewLink & { readonly kind: 'ifb' })
  | (NewLink & { readonly kind: 'vxlan'; readonly vxlan: VxlanOptions })
  | (NewLink & {
      readonly kind: 'veth';
      readonly master?: string;
      /** The other end, made in one step in another namespace when `netns` is given. */
      readonly peer: NewLink & { readonly netns?: NetworkNamespace };
    });

export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: MacAddress;
  readonly name?: string;
  readonly alias?: string;
  /** null takes it out of its bridge. */
  readonly master?: string | null;
  readonly hairpin?: boolean;
  readonly flooded?: boolean;
  /** Moves the link. */
  readonly netns?: NetworkNamespace;
}

/** Links (rtnetlink(7), RTM_*LINK). A link that is named and not there is `ENODEV`, unless it is said otherwise. */
export interface LinkPort {
  list(): readonly Link[];
  /** undefined when there is none of that name. */
  get(name: string): Link | undefined;
  /** `EEXIST` when the name is taken. */
  add(spec: LinkSpec): void;
  set(name: string, change: LinkChange): void;
  /** Nothing there is not an error. The kernel may take tens of milliseconds (RCU grace periods). */
  delete(name: string): void;
  /** {@link delete} that resolves when the link is gone; what else the kernel waits for, it waits for on another thread. */
  deleteAsync(name: string): Promise<void>;
}
