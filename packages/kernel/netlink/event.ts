import type { NetworkEvent, NetworkEventKind } from '../ports/monitor.ts';
import { RTM_DELADDR, RTM_NEWADDR } from './address.ts';
import { RTM_DELLINK, RTM_NEWLINK } from './link.ts';
import { RTM_DELNEIGH, RTM_NEWNEIGH } from './neighbour.ts';
import { Attributes, afterHeader, type NetlinkMessage } from './reader.ts';
import { RTM_DELROUTE, RTM_NEWROUTE } from './route.ts';

const RTMSG = 12;
const RTA_OIF = 4;
const AF_BRIDGE = 7;

/** The RTMGRP_* bits of each kind (include/uapi/linux/rtnetlink.h). */
export const EVENT_GROUPS: Readonly<Record<NetworkEventKind, number>> = {
  link: 0x1,
  neighbour: 0x4,
  address: 0x10 | 0x100,
  route: 0x40 | 0x400,
};

const TYPES: ReadonlyMap<number, readonly [NetworkEventKind, 'new' | 'del']> = new Map([
  [RTM_NEWLINK, ['link', 'new']],
  [RTM_DELLINK, ['link', 'del']],
  [RTM_NEWADDR, ['address', 'new']],
  [RTM_DELADDR, ['address', 'del']],
  [RTM_NEWROUTE, ['route', 'new']],
  [RTM_DELROUTE, ['route', 'del']],
  [RTM_NEWNEIGH, ['neighbour', 'new']],
  [RTM_DELNEIGH, ['neighbour', 'del']],
]);

/** @throws NetlinkFormatError; undefined for a message that is no event */
export function decodeEvent({ type, payload }: NetlinkMessage): NetworkEvent | undefined {
  const known = TYPES.get(type);
  if (known === undefined) return undefined;
  const [kind, change] = known;
  if (kind === 'route') {
    const attributes = new Attributes(afterHeader(payload, RTMSG, 'a route event'));
    return { kind, change, ifindex: attributes.u32(RTA_OIF) ?? 0 };
  }
  afterHeader(payload, 8, 'an event');
  // RTM_DELLINK of the bridge family says that a port left its bridge: the link goes on.
  if (kind === 'link' && change === 'del' && payload.readUInt8(0) === AF_BRIDGE)
    return { kind, change: 'new', ifindex: payload.readInt32LE(4) };
  return { kind, change, ifindex: payload.readInt32LE(4) };
}
