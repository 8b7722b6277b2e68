import { familyOf, type IpAddress, ipFromBytes, ipToBytes } from '#ip';
import { NetlinkFormatError } from '../errors.ts';
import type { ConntrackEntry, ConntrackFilter, ConntrackTuple } from '../ports/conntrack.ts';
import { familyNumber } from './address.ts';
import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

const NFNL_SUBSYS_CTNETLINK = 1;
export const IPCTNL_MSG_CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
export const IPCTNL_MSG_CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2;

/** `struct nfgenmsg`, and attributes of include/uapi/linux/netfilter/nfnetlink_conntrack.h */
const NFGENMSG = 4;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_STATUS = 3;
const CTA_TIMEOUT = 7;
const CTA_MARK = 8;
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_F = { destination: 1 << 1, protocol: 1 << 3, destinationPort: 1 << 5 } as const;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;

/** @throws NetlinkFormatError */
export function decodeConntrack(payload: Buffer): ConntrackEntry {
  const attributes = new Attributes(afterHeader(payload, NFGENMSG, 'a conntrack entry'));
  return {
    original: decodeTuple(attributes.nested(CTA_TUPLE_ORIG)),
    reply: decodeTuple(attributes.nested(CTA_TUPLE_REPLY)),
    mark: attributes.u32be(CTA_MARK) ?? 0,
    status: attributes.u32be(CTA_STATUS) ?? 0,
    timeout: attributes.u32be(CTA_TIMEOUT) ?? 0,
  };
}

function decodeTuple(tuple: Attributes | undefined): ConntrackTuple {
  const ip = tuple?.nested(CTA_TUPLE_IP);
  const proto = tuple?.nested(CTA_TUPLE_PROTO);
  const source = ip?.bytes(CTA_IP_V4_SRC) ?? ip?.bytes(CTA_IP_V6_SRC);
  const destination = ip?.bytes(CTA_IP_V4_DST) ?? ip?.bytes(CTA_IP_V6_DST);
  const protocol = proto?.u8(CTA_PROTO_NUM);
  if (source === undefined || destination === undefined || protocol === undefined)
    throw new NetlinkFormatError('netlink: a conntrack entry without addresses or protocol');
  return {
    source: ipFromBytes(source),
    destination: ipFromBytes(destination),
    protocol,
    sourcePort: proto?.u16be(CTA_PROTO_SRC_PORT),
    destinationPort: proto?.u16be(CTA_PROTO_DST_PORT),
  };
}

/** IPCTNL_MSG_CT_DELETE of the entry with this original tuple. */
export function encodeConntrackDelete(writer: NetlinkWriter, tuple: ConntrackTuple): void {
  header(writer, familyNumber(familyOf(tuple.destination)));
  encodeTuple(writer, tuple);
}

/** The kernel (5.8 and newer) filters by the fields named in CTA_FILTER; older ones send everything of the family. */
export function encodeConntrackDump(writer: NetlinkWriter, filter: ConntrackFilter): void {
  const family =
    filter.family ?? (filter.destination === undefined ? undefined : familyOf(filter.destination));
  header(writer, familyNumber(family));
  // A protocol alone has no meaning to the kernel's filter without a family.
  if (family === undefined) return;
  let flags = 0;
  if (filter.protocol !== undefined) flags |= CTA_FILTER_F.protocol;
  if (filter.destination !== undefined) flags |= CTA_FILTER_F.destination;
  if (filter.destinationPort !== undefined && filter.protocol !== undefined)
    flags |= CTA_FILTER_F.destinationPort;
  if (flags === 0) return;
  encodeTuple(writer, filter);
  writer.nest(CTA_FILTER, () => writer.attrU32(CTA_FILTER_ORIG_FLAGS, flags));
}

export function matchesConntrackFilter({ original }: ConntrackEntry, filter: ConntrackFilter): boolean {
  return (
    (filter.family === undefined || familyOf(original.destination) === filter.family) &&
    (filter.protocol === undefined || original.protocol === filter.protocol) &&
    (filter.destination === undefined || original.destination === filter.destination) &&
    (filter.destinationPort === undefined || original.destinationPort === filter.destinationPort)
  );
}

function header(writer: NetlinkWriter, family: number): void {
  writer.u8(family).u8(0).u16be(0);
}

function encodeTuple(writer: NetlinkWriter, tuple: Partial<ConntrackTuple>): void {
  const { source, destination, protocol, sourcePort, destinationPort } = tuple;
  writer.nest(CTA_TUPLE_ORIG, () => {
    if (source !== undefined || destination !== undefined)
      writer.nest(CTA_TUPLE_IP, () => {
        if (source !== undefined) encodeIp(writer, source, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
        if (destination !== undefined) encodeIp(writer, destination, CTA_IP_V4_DST, CTA_IP_V6_DST);
      });
    if (protocol !== undefined)
      writer.nest(CTA_TUPLE_PROTO, () => {
        writer.attrU8(CTA_PROTO_NUM, protocol);
        if (sourcePort !== undefined) writer.attrU16be(CTA_PROTO_SRC_PORT, sourcePort);
        if (destinationPort !== undefined) writer.attrU16be(CTA_PROTO_DST_PORT, destinationPort);
      });
  });
}

function encodeIp(writer: NetlinkWriter, address: IpAddress, v4: number, v6: number): void {
  writer.attr(familyOf(address) === 'IPv4' ? v4 : v6, ipToBytes(address));
}
