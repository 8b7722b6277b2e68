import {
  familyOf,
  hostPrefix,
  type IpAddress,
  type IpFamily,
  ipFromBytes,
  ipToBytes,
  parseIp,
  prefixAddress,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '#ip';
import { NetlinkFormatError } from '../errors.ts';
import {
  ROUTE_PROTOCOL_PODWAY,
  ROUTE_TABLE_MAIN,
  type Route,
  type RouteSpec,
  type RouteType,
} from '../ports/routes.ts';
import { familyNumber } from './address.ts';
import { Attributes, afterHeader } from './reader.ts';
import type { NetlinkWriter } from './writer.ts';

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

/** `struct rtmsg` (include/uapi/linux/rtnetlink.h). */
const RTMSG = 12;
const RTA_DST = 1;
const RTA_SRC = 2;
const RTA_IIF = 3;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_PRIORITY = 6;
const RTA_PREFSRC = 7;
const RTA_METRICS = 8;
const RTA_MULTIPATH = 9;
const RTA_TABLE = 15;
const RTA_VIA = 18;
const RTAX_MTU = 2;
const RTNH_F_ONLINK = 4;
const RTM_F_CLONED = 0x200;
const RTM_F_LOOKUP_TABLE = 0x1000;
const RT_SCOPE_NOWHERE = 255;

const TYPES: readonly (RouteType | undefined)[] = [
  undefined,
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
];
const SCOPES = { universe: 0, link: 253, host: 254 } as const;

/** A route as the kernel reports it: links are numbers. */
export type RawRoute = Omit<Route, 'link' | 'nexthops'> & {
  readonly linkIndex: number | undefined;
  readonly nexthops:
    | readonly {
        readonly linkIndex: number;
        readonly gateway: IpAddress | undefined;
        readonly weight: number;
      }[]
    | undefined;
};

/** @throws NetlinkFormatError; undefined for a route of a type Podway has no word for, and for cached routes */
export function decodeRoute(payload: Buffer): RawRoute | undefined {
  const attributes = new Attributes(afterHeader(payload, RTMSG, 'a route'));
  const family = payload.readUInt8(0);
  if (family !== 2 && family !== 10) return undefined;
  const type = TYPES[payload.readUInt8(7)];
  const flags = payload.readUInt32LE(8);
  if (type === undefined) return undefined;
  const destination = attributes.bytes(RTA_DST);
  const multipath = attributes.bytes(RTA_MULTIPATH);
  const scope = payload.readUInt8(6);
  return {
    destination: prefixOf(
      destination === undefined ? parseIp(family === 2 ? '0.0.0.0' : '::') : ipFromBytes(destination),
      payload.readUInt8(1),
    ),
    type,
    gateway: decodeGateway(attributes),
    linkIndex: attributes.u32(RTA_OIF),
    source: optionalIp(attributes.bytes(RTA_PREFSRC)),
    scope: scope === SCOPES.link ? 'link' : scope === SCOPES.host ? 'host' : 'universe',
    table: attributes.u32(RTA_TABLE) ?? payload.readUInt8(4),
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
    mtu: attributes.nested(RTA_METRICS)?.u32(RTAX_MTU),
    protocol: payload.readUInt8(5),
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    nexthops: multipath === undefined ? undefined : decodeNexthops(multipath),
  };
}

/** True for an entry of the route cache (a learnt path MTU, a redirect): not a route anyone configured. */
export function isClonedRoute(payload: Buffer): boolean {
  return payload.length >= RTMSG && (payload.readUInt32LE(8) & RTM_F_CLONED) !== 0;
}

/** RTA_VIA names a gateway of the other family (RFC 5549): a 16-bit family, then the address. */
function decodeGateway(attributes: Attributes): IpAddress | undefined {
  const via = attributes.bytes(RTA_VIA);
  return optionalIp(attributes.bytes(RTA_GATEWAY) ?? via?.subarray(2));
}

function encodeGateway(writer: NetlinkWriter, family: IpFamily, gateway: IpAddress): void {
  const own = familyOf(gateway);
  const bytes = ipToBytes(gateway);
  if (own === family) writer.attr(RTA_GATEWAY, bytes);
  else writer.attr(RTA_VIA, Buffer.concat([Uint8Array.of(familyNumber(own), 0), bytes]));
}

function optionalIp(bytes: Buffer | undefined): IpAddress | undefined {
  return bytes === undefined ? undefined : ipFromBytes(bytes);
}

/** `struct rtnexthop` records, each with attributes of its own. */
function decodeNexthops(bytes: Buffer): RawRoute['nexthops'] {
  const nexthops = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 8 || at + length > bytes.length)
      throw new NetlinkFormatError(`netlink: a next hop of ${length} bytes in ${bytes.length - at}`);
    const attributes = new Attributes(bytes.subarray(at + 8, at + length));
    nexthops.push({
      weight: bytes.readUInt8(at + 3) + 1,
      linkIndex: bytes.readInt32LE(at + 4),
      gateway: decodeGateway(attributes),
    });
    at += (length + 3) & ~3;
  }
  return nexthops;
}

/** RTM_NEWROUTE; fields left out get the values `ip route add` would give them, protocol {@link ROUTE_PROTOCOL_PODWAY}. */
export function encodeRoute(writer: NetlinkWriter, route: RouteSpec, linkIndex: number | undefined): void {
  const table = route.table ?? ROUTE_TABLE_MAIN;
  const type = route.type ?? 'unicast';
  header(writer, route, {
    table,
    protocol: route.protocol ?? ROUTE_PROTOCOL_PODWAY,
    scope: SCOPES[route.scope ?? defaultScope(type, route.gateway)],
    type,
    flags: route.onlink ? RTNH_F_ONLINK : 0,
  });
  routeKey(writer, route, table, linkIndex);
  if (route.source !== undefined) writer.attr(RTA_PREFSRC, ipToBytes(route.source));
  const mtu = route.mtu;
  if (mtu !== undefined) writer.nest(RTA_METRICS, () => writer.attrU32(RTAX_MTU, mtu));
}

/** RTM_DELROUTE: what is left out matches anything. */
export function encodeRouteDelete(
  writer: NetlinkWriter,
  route: RouteSpec,
  linkIndex: number | undefined,
): void {
  const table = route.table ?? ROUTE_TABLE_MAIN;
  header(writer, route, {
    table,
    protocol: route.protocol ?? 0,
    scope: route.scope === undefined ? RT_SCOPE_NOWHERE : SCOPES[route.scope],
    type: route.type,
    flags: 0,
  });
  routeKey(writer, route, table, linkIndex);
}

export function encodeRouteDump(
  writer: NetlinkWriter,
  filter: { readonly family?: IpFamily; readonly table?: number; readonly protocol?: number },
): void {
  const { table } = filter;
  writer
    .u8(familyNumber(filter.family))
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(filter.protocol ?? 0)
    .u8(0)
    .u8(0)
    .u32(0);
  if (table !== undefined) writer.attrU32(RTA_TABLE, table);
}

/** RTM_GETROUTE for one packet; with `inputIndex` the decision for a packet that arrives by that link. */
export function encodeRouteLookup(
  writer: NetlinkWriter,
  destination: IpAddress,
  source: IpAddress | undefined,
  inputIndex: number | undefined,
): void {
  const bits = prefixLength(hostPrefix(destination));
  writer
    .u8(familyNumber(familyOf(destination)))
    .u8(bits)
    .u8(source === undefined ? 0 : bits)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    // IPv6 names the table anyway and refuses the flag.
    .u32(familyOf(destination) === 'IPv4' ? RTM_F_LOOKUP_TABLE : 0)
    .attr(RTA_DST, ipToBytes(destination));
  if (source !== undefined) writer.attr(RTA_SRC, ipToBytes(source));
  if (inputIndex !== undefined) writer.attrU32(RTA_IIF, inputIndex);
}

/** The scope `ip route add` chooses. */
export function defaultScope(type: RouteType, gateway: IpAddress | undefined): Route['scope'] {
  if (type === 'local') return 'host';
  if (type === 'broadcast' || type === 'multicast' || type === 'anycast') return 'link';
  return type === 'unicast' && gateway === undefined ? 'link' : 'universe';
}

interface HeaderFields {
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: RouteType | undefined;
  readonly flags: number;
}

function header(writer: NetlinkWriter, route: RouteSpec, fields: HeaderFields): void {
  writer
    .u8(familyNumber(prefixFamily(route.destination)))
    .u8(prefixLength(route.destination))
    .u8(0)
    .u8(0)
    .u8(fields.table > 255 ? 0 : fields.table)
    .u8(fields.protocol)
    .u8(fields.scope)
    .u8(fields.type === undefined ? 0 : TYPES.indexOf(fields.type))
    .u32(fields.flags);
}

function routeKey(
  writer: NetlinkWriter,
  route: RouteSpec,
  table: number,
  linkIndex: number | undefined,
): void {
  if (prefixLength(route.destination) > 0) writer.attr(RTA_DST, ipToBytes(prefixAddress(route.destination)));
  if (route.gateway !== undefined) encodeGateway(writer, prefixFamily(route.destination), route.gateway);
  if (linkIndex !== undefined) writer.attrU32(RTA_OIF, linkIndex);
  if (route.metric !== undefined) writer.attrU32(RTA_PRIORITY, route.metric);
  writer.attrU32(RTA_TABLE, table);
}
