import { addressBits, familyOf, type IpAddress, ipFromBytes, ipToBytes, parseIp } from '#ip';
import { NetlinkFormatError } from '../errors.ts';
import type {
  IpvsChange,
  IpvsDestination,
  IpvsDestinationKey,
  IpvsForwarding,
  IpvsProtocol,
  IpvsSchedulerFlag,
  IpvsService,
  IpvsServiceKey,
  IpvsTimeouts,
} from '../ports/ipvs.ts';
import { familyNumber } from './address.ts';
import { GENL_HEADER, generic } from './generic.ts';
import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

/** include/uapi/linux/ip_vs.h */
export const IPVS_GENL_NAME = 'IPVS';
const IPVS_GENL_VERSION = 1;
const IPVS_CMD_GET_SERVICE = 4;
const IPVS_CMD_GET_DEST = 8;
const IPVS_CMD_SET_CONFIG = 12;
const IPVS_CMD_GET_CONFIG = 13;
const IPVS_CMD_FLUSH = 17;
const IPVS_COMMANDS = {
  'add-service': 1,
  'set-service': 2,
  'delete-service': 3,
  'add-destination': 5,
  'set-destination': 6,
  'delete-destination': 7,
} as const;
const IPVS_CMD_ATTR_SERVICE = 1;
const IPVS_CMD_ATTR_DEST = 2;
const IPVS_CMD_ATTR_TIMEOUTS = { tcp: 4, tcpFin: 5, udp: 6 } as const;
const IPVS_SVC_ATTR = {
  ...{ family: 1, protocol: 2, address: 3, port: 4, fwmark: 5 },
  ...{ scheduler: 6, flags: 7, timeout: 8, netmask: 9 },
} as const;
const IPVS_DEST_ATTR = {
  ...{ address: 1, port: 2, forwarding: 3, weight: 4, upperThreshold: 5, lowerThreshold: 6 },
  ...{ active: 7, inactive: 8, persistent: 9, family: 11 },
} as const;
const IP_VS_SVC_F_PERSISTENT = 0x01;
const IP_VS_SVC_F_ONEPACKET = 0x04;
const SCHEDULER_FLAGS: readonly (readonly [IpvsSchedulerFlag, number])[] = [
  ['sched-1', 0x08],
  ['sched-2', 0x10],
  ['sched-3', 0x20],
];
/** The flags that are ours to set; IP_VS_SVC_F_HASHED is the kernel's. */
const SERVICE_FLAGS = SCHEDULER_FLAGS.reduce(
  (mask, [, flag]) => mask | flag,
  IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_ONEPACKET,
);
const IP_VS_CONN_F_FWD_MASK = 7;
/** By IP_VS_CONN_F_*; BYPASS (4), which no destination has, is nobody's. */
const FORWARDINGS: readonly IpvsForwarding[] = ['masquerade', 'local', 'tunnel', 'direct'];
const PROTOCOLS: readonly (readonly [IpvsProtocol, number])[] = [
  ['TCP', 6],
  ['UDP', 17],
  ['SCTP', 132],
];
/** `union nf_inet_addr`: an IPv4 address fills the first 4 bytes. */
const ADDRESS_LENGTH = 16;

/** The body of one change. */
export function encodeIpvsChange(writer: NetlinkWriter, change: IpvsChange): void {
  generic(writer, IPVS_COMMANDS[change.op], IPVS_GENL_VERSION);
  encodeService(
    writer,
    change.service,
    change.op === 'add-service' || change.op === 'set-service' ? change.service : undefined,
  );
  if (change.op === 'add-destination' || change.op === 'set-destination')
    encodeDestination(writer, change.destination, () => {
      writer
        .attrU32(IPVS_DEST_ATTR.forwarding, FORWARDINGS.indexOf(change.destination.forwarding))
        .attrU32(IPVS_DEST_ATTR.weight, change.destination.weight)
        .attrU32(IPVS_DEST_ATTR.upperThreshold, 0)
        .attrU32(IPVS_DEST_ATTR.lowerThreshold, 0);
    });
  else if (change.op === 'delete-destination') encodeDestination(writer, change.destination, () => {});
}

export function encodeIpvsFlush(writer: NetlinkWriter): void {
  generic(writer, IPVS_CMD_FLUSH, IPVS_GENL_VERSION);
}

export function encodeIpvsTimeouts(writer: NetlinkWriter, { tcp, tcpFin, udp }: Partial<IpvsTimeouts>): void {
  generic(writer, IPVS_CMD_SET_CONFIG, IPVS_GENL_VERSION);
  if (tcp !== undefined) writer.attrU32(IPVS_CMD_ATTR_TIMEOUTS.tcp, tcp);
  if (tcpFin !== undefined) writer.attrU32(IPVS_CMD_ATTR_TIMEOUTS.tcpFin, tcpFin);
  if (udp !== undefined) writer.attrU32(IPVS_CMD_ATTR_TIMEOUTS.udp, udp);
}

export function encodeIpvsTimeoutsRequest(writer: NetlinkWriter): void {
  generic(writer, IPVS_CMD_GET_CONFIG, IPVS_GENL_VERSION);
}

/** @throws NetlinkFormatError */
export function decodeIpvsTimeouts(payload: Buffer): IpvsTimeouts {
  const fields = new Attributes(afterHeader(payload, GENL_HEADER, 'IPVS timeouts'));
  return {
    tcp: fields.u32(IPVS_CMD_ATTR_TIMEOUTS.tcp) ?? 0,
    tcpFin: fields.u32(IPVS_CMD_ATTR_TIMEOUTS.tcpFin) ?? 0,
    udp: fields.u32(IPVS_CMD_ATTR_TIMEOUTS.udp) ?? 0,
  };
}

/** A dump of every service. */
export function encodeIpvsServiceDump(writer: NetlinkWriter): void {
  generic(writer, IPVS_CMD_GET_SERVICE, IPVS_GENL_VERSION);
}

/** A dump of a service's destinations: nothing when there is no such service. */
export function encodeIpvsDestinationDump(writer: NetlinkWriter, service: IpvsServiceKey): void {
  generic(writer, IPVS_CMD_GET_DEST, IPVS_GENL_VERSION);
  encodeService(writer, service, undefined);
}

/** undefined: of a protocol that is none of ours. @throws NetlinkFormatError */
export function decodeIpvsService(payload: Buffer): IpvsService | undefined {
  const fields = new Attributes(afterHeader(payload, GENL_HEADER, 'an IPVS service')).nested(
    IPVS_CMD_ATTR_SERVICE,
  );
  const key = fields && decodeKey(fields);
  if (fields === undefined || key === undefined) return undefined;
  const { address } = key;
  const flags = fields.u32(IPVS_SVC_ATTR.flags) ?? 0;
  const persistent = (flags & IP_VS_SVC_F_PERSISTENT) !== 0;
  const prefix = decodePersistencePrefix(fields, address);
  const schedulerFlags = SCHEDULER_FLAGS.flatMap(([name, flag]) => ((flags & flag) !== 0 ? [name] : []));
  return {
    ...key,
    scheduler: fields.string(IPVS_SVC_ATTR.scheduler) ?? '',
    persistentSeconds: persistent ? (fields.u32(IPVS_SVC_ATTR.timeout) ?? 0) : undefined,
    ...(persistent && prefix !== addressBits(familyOf(address)) ? { persistencePrefix: prefix } : {}),
    ...(schedulerFlags.length > 0 ? { schedulerFlags } : {}),
    ...((flags & IP_VS_SVC_F_ONEPACKET) !== 0 ? { onePacket: true } : {}),
  };
}

function decodeKey(fields: Attributes): IpvsServiceKey | undefined {
  const family = fields.u16(IPVS_SVC_ATTR.family);
  const mark = fields.u32(IPVS_SVC_ATTR.fwmark);
  if (mark !== undefined) {
    const address = parseIp(family === familyNumber('IPv4') ? '0.0.0.0' : '::');
    return { address, port: 0, protocol: 'TCP', mark };
  }
  const number = fields.u16(IPVS_SVC_ATTR.protocol);
  const [protocol] = PROTOCOLS.find(([, known]) => known === number) ?? [];
  if (protocol === undefined) return undefined;
  const address = decodeIp(fields, IPVS_SVC_ATTR.address, family);
  return { address, port: fields.u16be(IPVS_SVC_ATTR.port) ?? 0, protocol };
}

/** @param service whose family it has, unless the message says otherwise. @throws NetlinkFormatError */
export function decodeIpvsDestination(payload: Buffer, service: IpvsServiceKey): IpvsDestination {
  const fields = new Attributes(afterHeader(payload, GENL_HEADER, 'an IPVS destination')).nested(
    IPVS_CMD_ATTR_DEST,
  );
  if (fields === undefined) throw new NetlinkFormatError('netlink: an IPVS destination without fields');
  const family = fields.u16(IPVS_DEST_ATTR.family) ?? familyNumber(familyOf(service.address));
  const method = (fields.u32(IPVS_DEST_ATTR.forwarding) ?? 0) & IP_VS_CONN_F_FWD_MASK;
  const forwarding = FORWARDINGS[method];
  if (forwarding === undefined) throw new NetlinkFormatError(`netlink: IPVS forwarding method ${method}`);
  const upper = fields.u32(IPVS_DEST_ATTR.upperThreshold) ?? 0;
  const lower = fields.u32(IPVS_DEST_ATTR.lowerThreshold) ?? 0;
  return {
    address: decodeIp(fields, IPVS_DEST_ATTR.address, family),
    port: fields.u16be(IPVS_DEST_ATTR.port) ?? 0,
    weight: fields.u32(IPVS_DEST_ATTR.weight) ?? 0,
    forwarding,
    activeConnections: fields.u32(IPVS_DEST_ATTR.active) ?? 0,
    inactiveConnections: fields.u32(IPVS_DEST_ATTR.inactive) ?? 0,
    persistentConnections: fields.u32(IPVS_DEST_ATTR.persistent) ?? 0,
    ...(upper > 0 ? { upperThreshold: upper } : {}),
    ...(lower > 0 ? { lowerThreshold: lower } : {}),
  };
}

function encodeService(writer: NetlinkWriter, key: IpvsServiceKey, service: IpvsService | undefined): void {
  const [, protocol = 0] = PROTOCOLS.find(([name]) => name === key.protocol) ?? [];
  writer.nest(IPVS_CMD_ATTR_SERVICE, () => {
    writer.attrU16(IPVS_SVC_ATTR.family, familyNumber(familyOf(key.address)));
    if (key.mark !== undefined) writer.attrU32(IPVS_SVC_ATTR.fwmark, key.mark);
    else
      writer
        .attrU16(IPVS_SVC_ATTR.protocol, protocol)
        .attr(IPVS_SVC_ATTR.address, ipToBytes(key.address))
        .attrU16be(IPVS_SVC_ATTR.port, key.port);
    if (service !== undefined) encodeServiceFields(writer, service);
  });
}

function encodeServiceFields(writer: NetlinkWriter, service: IpvsService): void {
  let flags = service.persistentSeconds === undefined ? 0 : IP_VS_SVC_F_PERSISTENT;
  if (service.onePacket) flags |= IP_VS_SVC_F_ONEPACKET;
  for (const [name, flag] of SCHEDULER_FLAGS) if (service.schedulerFlags?.includes(name)) flags |= flag;
  // struct ip_vs_flags: what the flags are, and which of them are meant.
  const flagsAndMask = Buffer.alloc(8);
  flagsAndMask.writeUInt32LE(flags);
  flagsAndMask.writeUInt32LE(SERVICE_FLAGS, 4);
  writer
    .attrString(IPVS_SVC_ATTR.scheduler, service.scheduler)
    .attr(IPVS_SVC_ATTR.flags, flagsAndMask)
    .attrU32(IPVS_SVC_ATTR.timeout, service.persistentSeconds ?? 0);
  encodePersistencePrefix(writer, service);
}

function encodeDestination(
  writer: NetlinkWriter,
  { address, port }: IpvsDestinationKey,
  rest: () => void,
): void {
  writer.nest(IPVS_CMD_ATTR_DEST, () => {
    writer
      .attrU16(IPVS_DEST_ATTR.family, familyNumber(familyOf(address)))
      .attr(IPVS_DEST_ATTR.address, ipToBytes(address))
      .attrU16be(IPVS_DEST_ATTR.port, port);
    rest();
  });
}

/** An IPv4 service has a mask in network order, an IPv6 service a prefix length in the machine's. */
function encodePersistencePrefix(writer: NetlinkWriter, { address, persistencePrefix }: IpvsService): void {
  const prefix = persistencePrefix ?? addressBits(familyOf(address));
  if (familyOf(address) === 'IPv6') writer.attrU32(IPVS_SVC_ATTR.netmask, prefix);
  else writer.attrU32be(IPVS_SVC_ATTR.netmask, prefix === 0 ? 0 : 0xffffffff << (32 - prefix));
}

function decodePersistencePrefix(fields: Attributes, address: IpAddress): number {
  if (familyOf(address) === 'IPv6') return fields.u32(IPVS_SVC_ATTR.netmask) ?? 128;
  return Math.clz32(~(fields.u32be(IPVS_SVC_ATTR.netmask) ?? 0xffffffff));
}

function decodeIp(fields: Attributes, type: number, family: number | undefined): IpAddress {
  const bytes = fields.bytes(type);
  const length = family === familyNumber('IPv4') ? 4 : ADDRESS_LENGTH;
  if (bytes === undefined || bytes.length < length)
    throw new NetlinkFormatError(
      `netlink: an IPVS address of ${bytes?.length ?? 0} bytes, ${length} are needed`,
    );
  return ipFromBytes(bytes.subarray(0, length));
}
