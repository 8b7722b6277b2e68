import { familyOf, ipFromBytes, ipToBytes, macFromBytes, macToBytes } from '#ip';
import type { Link, LinkChange, LinkKind, LinkSpec, VxlanOptions } from '../ports/links.ts';
import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;

/** `struct ifinfomsg` (include/uapi/linux/rtnetlink.h). */
const IFINFOMSG = 16;
const ARPHRD_LOOPBACK = 772;
const IFF_UP = 1;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINK = 5;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_NET_NS_FD = 28;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_KIND = 4;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_MCAST_FLOOD = 27;
const IFLA_BRPORT_BCAST_FLOOD = 30;
const VETH_INFO_PEER = 1;

const IFLA_VXLAN_ID = 1;
const IFLA_VXLAN_LINK = 3;
const IFLA_VXLAN_LOCAL = 4;
const IFLA_VXLAN_LEARNING = 7;
const IFLA_VXLAN_PORT = 15;
const IFLA_VXLAN_LOCAL6 = 17;

/** A link as the kernel reports it: other links are numbers. */
export type RawLink = Omit<Link, 'vxlan'> & {
  readonly vxlan: (Omit<VxlanOptions, 'link'> & { readonly link: number | undefined }) | undefined;
};

/** @throws NetlinkFormatError */
export function decodeLink(payload: Buffer): RawLink {
  const attributes = new Attributes(afterHeader(payload, IFINFOMSG, 'a link'));
  const info = attributes.nested(IFLA_LINKINFO);
  const kind = linkKind(info?.string(IFLA_INFO_KIND), payload.readUInt16LE(2));
  const mac = attributes.bytes(IFLA_ADDRESS);
  const data = info?.nested(IFLA_INFO_DATA);
  const port =
    info?.string(IFLA_INFO_SLAVE_KIND) === 'bridge' ? info.nested(IFLA_INFO_SLAVE_DATA) : undefined;
  return {
    index: payload.readInt32LE(4),
    name: attributes.string(IFLA_IFNAME) ?? '',
    kind,
    mac: mac?.length === 6 ? macFromBytes(mac) : undefined,
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    up: (payload.readUInt32LE(8) & IFF_UP) !== 0,
    master: attributes.u32(IFLA_MASTER),
    peerIndex: kind === 'veth' ? attributes.u32(IFLA_LINK) : undefined,
    alias: attributes.string(IFLA_IFALIAS),
    hairpin: port?.u8(IFLA_BRPORT_MODE) === 1,
    flooded: port?.u8(IFLA_BRPORT_BCAST_FLOOD) === 1,
    vxlan: kind === 'vxlan' && data !== undefined ? decodeVxlan(data) : undefined,
  };
}

function linkKind(kind: string | undefined, hardware: number): LinkKind {
  switch (kind) {
    case 'veth':
    case 'bridge':
    case 'dummy':
    case 'vxlan':
    case 'ifb':
      return kind;
    default:
      return hardware === ARPHRD_LOOPBACK ? 'loopback' : 'other';
  }
}

function decodeVxlan(data: Attributes): RawLink['vxlan'] {
  const local = data.bytes(IFLA_VXLAN_LOCAL) ?? data.bytes(IFLA_VXLAN_LOCAL6);
  return {
    vni: data.u32(IFLA_VXLAN_ID) ?? 0,
    port: data.u16be(IFLA_VXLAN_PORT) ?? 0,
    local: local === undefined ? undefined : ipFromBytes(local),
    link: data.u32(IFLA_VXLAN_LINK),
    learning: data.u8(IFLA_VXLAN_LEARNING) === 1,
  };
}

/** What the encoder needs in numbers where {@link LinkSpec} has names and namespaces. */
export interface LinkReferences {
  readonly master?: number | undefined;
  readonly vxlanLink?: number | undefined;
  /** A file descriptor of the peer's namespace. */
  readonly peerNetns?: number | undefined;
}

/** RTM_NEWLINK that makes a link. The kernel takes no alias here, and no `up` of a peer: set them afterwards. */
export function encodeNewLink(writer: NetlinkWriter, spec: LinkSpec, references: LinkReferences): void {
  newLinkHeader(writer, spec);
  if (spec.kind === 'veth') encodeOneQueue(writer);
  if (references.master !== undefined) writer.attrU32(IFLA_MASTER, references.master);
  writer.nest(IFLA_LINKINFO, () => {
    writer.attrString(IFLA_INFO_KIND, spec.kind);
    switch (spec.kind) {
      case 'veth':
        writer.nest(IFLA_INFO_DATA, () => {
          writer.nest(VETH_INFO_PEER, () => {
            // Not up yet: veth_open() says ENOTCONN until the pair is complete.
            newLinkHeader(writer, { ...spec.peer, up: false });
            encodeOneQueue(writer);
            if (references.peerNetns !== undefined) writer.attrU32(IFLA_NET_NS_FD, references.peerNetns);
          });
        });
        break;
      case 'vxlan':
        writer.nest(IFLA_INFO_DATA, () => encodeVxlan(writer, spec.vxlan, references.vxlanLink));
        break;
      case 'bridge':
      case 'dummy':
      case 'ifb':
        break;
    }
  });
}

function newLinkHeader(writer: NetlinkWriter, link: Pick<LinkSpec, 'name' | 'mac' | 'mtu' | 'up'>): void {
  header(writer, 0, link.up ? IFF_UP : 0, link.up ? IFF_UP : 0);
  writer.attrString(IFLA_IFNAME, link.name);
  if (link.mac !== undefined) writer.attr(IFLA_ADDRESS, macToBytes(link.mac));
  if (link.mtu !== undefined) writer.attrU32(IFLA_MTU, link.mtu);
}

/**
 * A veth end uses one queue. Untold, the kernel makes one for each processor and takes all but one away again, which costs
 * an RCU grace period for each end (drivers/net/veth.c veth_init_queues).
 */
function encodeOneQueue(writer: NetlinkWriter): void {
  writer.attrU32(IFLA_NUM_TX_QUEUES, 1);
  writer.attrU32(IFLA_NUM_RX_QUEUES, 1);
}

function encodeVxlan(writer: NetlinkWriter, options: VxlanOptions, link: number | undefined): void {
  writer.attrU32(IFLA_VXLAN_ID, options.vni);
  writer.attrU16be(IFLA_VXLAN_PORT, options.port);
  writer.attrU8(IFLA_VXLAN_LEARNING, options.learning ? 1 : 0);
  if (options.local !== undefined)
    writer.attr(
      familyOf(options.local) === 'IPv4' ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6,
      ipToBytes(options.local),
    );
  if (link !== undefined) writer.attrU32(IFLA_VXLAN_LINK, link);
}

/** One RTM_NEWLINK change of a link that exists; references are numbers, 0 as `master` takes it out of its bridge. */
export interface RawLinkChange {
  readonly up?: boolean | undefined;
  readonly mtu?: number | undefined;
  readonly mac?: Uint8Array | undefined;
  readonly name?: string | undefined;
  readonly alias?: string | undefined;
  readonly master?: number | undefined;
  /** A file descriptor of the namespace to move to. */
  readonly netns?: number | undefined;
}

export function encodeSetLink(writer: NetlinkWriter, index: number, change: RawLinkChange): void {
  header(writer, index, change.up ? IFF_UP : 0, change.up === undefined ? 0 : IFF_UP);
  if (change.name !== undefined) writer.attrString(IFLA_IFNAME, change.name);
  if (change.alias !== undefined) writer.attrString(IFLA_IFALIAS, change.alias);
  if (change.mac !== undefined) writer.attr(IFLA_ADDRESS, change.mac);
  if (change.mtu !== undefined) writer.attrU32(IFLA_MTU, change.mtu);
  if (change.master !== undefined) writer.attrU32(IFLA_MASTER, change.master);
  if (change.netns !== undefined) writer.attrU32(IFLA_NET_NS_FD, change.netns);
}

/** Bridge port options are a change of their own: the kernel applies them before the master of the same message. */
export function encodeBridgePort(
  writer: NetlinkWriter,
  index: number,
  { hairpin, flooded }: Pick<LinkChange, 'hairpin' | 'flooded'>,
): void {
  header(writer, index, 0, 0);
  writer.nest(IFLA_LINKINFO, () => {
    writer.attrString(IFLA_INFO_SLAVE_KIND, 'bridge');
    writer.nest(IFLA_INFO_SLAVE_DATA, () => {
      if (hairpin !== undefined) writer.attrU8(IFLA_BRPORT_MODE, hairpin ? 1 : 0);
      if (flooded === undefined) return;
      writer.attrU8(IFLA_BRPORT_MCAST_FLOOD, flooded ? 1 : 0);
      writer.attrU8(IFLA_BRPORT_BCAST_FLOOD, flooded ? 1 : 0);
    });
  });
}

/** RTM_GETLINK or RTM_DELLINK by index, by name, or (both left out) a dump of all. */
export function encodeLinkQuery(
  writer: NetlinkWriter,
  by: { readonly index?: number; readonly name?: string },
): void {
  header(writer, by.index ?? 0, 0, 0);
  if (by.name !== undefined) writer.attrString(IFLA_IFNAME, by.name);
}

function header(writer: NetlinkWriter, index: number, flags: number, change: number): void {
  writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(change);
}
