import { familyOf, type IpFamily, ipFromBytes, ipToBytes, macFromBytes, macToBytes } from '#ip';
import type { FdbEntry } from '../ports/fdb.ts';
import type { Neighbour } from '../ports/neighbours.ts';
import { familyNumber } from './address.ts';
import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;

/** `struct ndmsg` (include/uapi/linux/neighbour.h). */
const NDMSG = 12;
const AF_BRIDGE = 7;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_VLAN = 5;
const NDA_IFINDEX = 8;
const NTF_SELF = 2;
const NTF_MASTER = 4;
const NUD = { reachable: 0x02, stale: 0x04, failed: 0x20, noarp: 0x40, permanent: 0x80 } as const;

export type RawNeighbour = Omit<Neighbour, 'link'> & { readonly linkIndex: number };
export type RawFdbEntry = Omit<FdbEntry, 'link'> & { readonly linkIndex: number };

/** @throws NetlinkFormatError; undefined for an entry without an IP address */
export function decodeNeighbour(payload: Buffer): RawNeighbour | undefined {
  const attributes = new Attributes(afterHeader(payload, NDMSG, 'a neighbour'));
  const family = payload.readUInt8(0);
  const address = attributes.bytes(NDA_DST);
  if ((family !== 2 && family !== 10) || address === undefined) return undefined;
  const mac = attributes.bytes(NDA_LLADDR);
  return {
    linkIndex: payload.readInt32LE(4),
    address: ipFromBytes(address),
    mac: mac?.length === 6 ? macFromBytes(mac) : undefined,
    state: neighbourState(payload.readUInt16LE(8)),
  };
}

function neighbourState(bits: number): Neighbour['state'] {
  for (const [name, bit] of Object.entries(NUD)) if (bits === bit) return name as keyof typeof NUD;
  return 'other';
}

/**
 * undefined for an entry without a MAC address, and for an entry of a VLAN: a kernel that filters VLANs keeps one of those beside each
 * entry of a bridge port. @throws NetlinkFormatError
 */
export function decodeFdbEntry(payload: Buffer): RawFdbEntry | undefined {
  const attributes = new Attributes(afterHeader(payload, NDMSG, 'an FDB entry'));
  const mac = attributes.bytes(NDA_LLADDR);
  if (payload.readUInt8(0) !== AF_BRIDGE || mac?.length !== 6 || attributes.has(NDA_VLAN)) return undefined;
  const destination = attributes.bytes(NDA_DST);
  return {
    linkIndex: payload.readInt32LE(4),
    mac: macFromBytes(mac),
    destination: destination === undefined ? undefined : ipFromBytes(destination),
  };
}

export function encodeNeighbour(
  writer: NetlinkWriter,
  linkIndex: number,
  neighbour: Pick<Neighbour, 'address' | 'mac'>,
  state: 'permanent' | 'noarp',
): void {
  header(writer, familyNumber(familyOf(neighbour.address)), linkIndex, NUD[state], 0);
  writer.attr(NDA_DST, ipToBytes(neighbour.address));
  if (neighbour.mac !== undefined) writer.attr(NDA_LLADDR, macToBytes(neighbour.mac));
}

/** An entry of a bridge port's table in its bridge, or of the device's own table (VXLAN, the bridge itself). */
export function encodeFdbEntry(
  writer: NetlinkWriter,
  linkIndex: number,
  entry: Pick<FdbEntry, 'mac' | 'destination'>,
  where: 'master' | 'self',
): void {
  header(writer, AF_BRIDGE, linkIndex, NUD.permanent, where === 'self' ? NTF_SELF : NTF_MASTER);
  writer.attr(NDA_LLADDR, macToBytes(entry.mac));
  if (entry.destination !== undefined) writer.attr(NDA_DST, ipToBytes(entry.destination));
}

export function encodeNeighbourDump(
  writer: NetlinkWriter,
  family: IpFamily | undefined,
  linkIndex: number,
): void {
  header(writer, familyNumber(family), 0, 0, 0);
  if (linkIndex !== 0) writer.attrU32(NDA_IFINDEX, linkIndex);
}

/** The kernel reads FDB dumps as `struct ndmsg`, filtered by the device. */
export function encodeFdbDump(writer: NetlinkWriter, linkIndex: number): void {
  header(writer, AF_BRIDGE, linkIndex, 0, 0);
}

function header(
  writer: NetlinkWriter,
  family: number,
  linkIndex: number,
  state: number,
  flags: number,
): void {
  writer.u8(family).u8(0).u16(0).u32(linkIndex).u16(state).u8(flags).u8(0);
}
