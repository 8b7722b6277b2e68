import { addressBits, familyOf, type IpAddress, type IpFamily, ipFromBytes, ipToBytes } from '#ip';
import { NetlinkFormatError } from '../errors.ts';
import type { InterfaceAddress } from '../ports/addresses.ts';
import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;

/** `struct ifaddrmsg` (include/uapi/linux/if_addr.h). */
const IFADDRMSG = 8;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_F_NODAD = 2;
const IFA_F_DEPRECATED = 0x20;
/** `struct ifa_cacheinfo`: preferred for 0 seconds, valid for ever, two times that the kernel writes. */
const DEPRECATED = Buffer.from(Uint32Array.of(0, 0xffffffff, 0, 0).buffer);
const SCOPES = { global: 0, link: 253, host: 254 } as const;

/** AF_INET, AF_INET6; 0 for both. */
export function familyNumber(family: IpFamily | undefined): number {
  if (family === undefined) return 0;
  return family === 'IPv4' ? 2 : 10;
}

/** An address as the kernel reports it: the link is a number. */
export type RawAddress = Omit<InterfaceAddress, 'link'> & { readonly linkIndex: number };

/** @throws NetlinkFormatError */
export function decodeAddress(payload: Buffer): RawAddress {
  const attributes = new Attributes(afterHeader(payload, IFADDRMSG, 'an address'));
  const bytes = attributes.bytes(IFA_LOCAL) ?? attributes.bytes(IFA_ADDRESS);
  if (bytes === undefined) throw new NetlinkFormatError('netlink: an address message without an address');
  const address = ipFromBytes(bytes);
  const flags = attributes.u32(IFA_FLAGS) ?? payload.readUInt8(2);
  const scope = payload.readUInt8(3);
  return {
    linkIndex: payload.readUInt32LE(4),
    address,
    prefixLength: payload.readUInt8(1),
    scope: scope === SCOPES.link ? 'link' : scope === SCOPES.host ? 'host' : 'global',
    ...(familyOf(address) === 'IPv6' && (flags & IFA_F_NODAD) !== 0 ? { noDad: true } : {}),
    ...(familyOf(address) === 'IPv6' && (flags & IFA_F_DEPRECATED) !== 0 ? { deprecated: true } : {}),
  };
}

export function encodeAddress(writer: NetlinkWriter, linkIndex: number, address: RawAddressSpec): void {
  const family = familyOf(address.address);
  const bytes = ipToBytes(address.address);
  writer
    .u8(familyNumber(family))
    .u8(address.prefixLength)
    .u8(0)
    .u8(SCOPES[address.scope ?? 'global'])
    .u32(linkIndex)
    .attr(IFA_LOCAL, bytes)
    .attr(IFA_ADDRESS, bytes);
  if (family === 'IPv4') return;
  if (address.noDad) writer.attrU32(IFA_FLAGS, IFA_F_NODAD);
  if (address.deprecated) writer.attr(IFA_CACHEINFO, DEPRECATED);
}

export type RawAddressSpec = Omit<InterfaceAddress, 'link'>;

/** A dump of all addresses of a family, or of one link's. */
export function encodeAddressDump(
  writer: NetlinkWriter,
  family: IpFamily | undefined,
  linkIndex: number,
): void {
  writer.u8(familyNumber(family)).u8(0).u8(0).u8(0).u32(linkIndex);
}

/** True when the length fits the address's family. */
export function isPrefixLength(address: IpAddress, length: number): boolean {
  return Number.isInteger(length) && length >= 0 && length <= addressBits(familyOf(address));
}
