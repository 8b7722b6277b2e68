import { familyOf, type IpAddress, ipToBytes, type MacAddress, macToBytes, parseIp, parseMac } from '#ip';

export interface Announcement {
  readonly etherType: number;
  readonly destination: MacAddress;
  /** What follows the Ethernet header. */
  readonly packet: Buffer;
}

const ETH_P_ARP = 0x0806;
const ETH_P_IPV6 = 0x86dd;
const ICMPV6 = 58;
const NEIGHBOUR_ADVERTISEMENT = 136;
const OVERRIDE = 0x20;
const TARGET_LINK_LAYER_ADDRESS = 2;
const ALL_NODES = parseIp('ff02::1');

/**
 * The frame that tells a link's other hosts who has an address now, so that nobody goes on with an old MAC address:
 * an ARP announcement (RFC 5227 section 3), or an unsolicited neighbour advertisement (RFC 4861 section 7.2.6).
 */
export function encodeAnnouncement(address: IpAddress, mac: MacAddress): Announcement {
  if (familyOf(address) === 'IPv4')
    return {
      etherType: ETH_P_ARP,
      destination: parseMac('ff:ff:ff:ff:ff:ff'),
      packet: encodeArp(ipToBytes(address), macToBytes(mac)),
    };
  return {
    etherType: ETH_P_IPV6,
    destination: parseMac('33:33:00:00:00:01'),
    packet: encodeAdvertisement(ipToBytes(address), macToBytes(mac)),
  };
}

/** An ARP request for one's own address: Ethernet (1), IPv4 (0x0800), lengths 6 and 4, operation 1. */
function encodeArp(address: Uint8Array, mac: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('0001080006040001', 'hex'), mac, address, new Uint8Array(6), address]);
}

function encodeAdvertisement(address: Uint8Array, mac: Uint8Array): Buffer {
  const icmp = Buffer.concat([
    Uint8Array.of(NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0),
    address,
    Uint8Array.of(TARGET_LINK_LAYER_ADDRESS, 1),
    mac,
  ]);
  const addresses = Buffer.concat([address, ipToBytes(ALL_NODES)]);
  const pseudoHeader = Buffer.concat([addresses, Uint8Array.of(0, 0, 0, icmp.length, 0, 0, 0, ICMPV6)]);
  icmp.writeUInt16BE(internetChecksum(Buffer.concat([pseudoHeader, icmp])), 2);
  // Version 6; the receiver checks that the hop limit is 255.
  const header = Uint8Array.of(0x60, 0, 0, 0, 0, icmp.length, ICMPV6, 255);
  return Buffer.concat([header, addresses, icmp]);
}

/** RFC 1071, over an even number of bytes. */
export function internetChecksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
