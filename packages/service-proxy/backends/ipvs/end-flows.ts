import type { ConntrackPort } from '#kernel';
import { type FrontendKey, frontendKey, type Protocol } from '../../table/entry.ts';

/** include/uapi/linux/netfilter/nf_conntrack_common.h */
const IPS_DST_NAT = 1 << 5;
const PROTOCOL_NAMES: ReadonlyMap<number, Protocol> = new Map([
  [6, 'TCP'],
  [17, 'UDP'],
  [132, 'SCTP'],
]);

/**
 * Makes conntrack forget what IPVS has translated at some places, so that the next packet of such a connection is answered by the mechanism
 * that serves now.
 */
export async function endFlows(conntrack: ConntrackPort, places: ReadonlySet<FrontendKey>): Promise<void> {
  for (const entry of await conntrack.list()) {
    const { original, reply, status } = entry;
    const protocol = PROTOCOL_NAMES.get(original.protocol);
    if (protocol === undefined || original.destinationPort === undefined) continue;
    // IPVS translates without the flag that NAT rules leave.
    if ((status & IPS_DST_NAT) !== 0 || reply.source === original.destination) continue;
    if (places.has(frontendKey(original.destination, protocol, original.destinationPort)))
      conntrack.delete(entry);
  }
}
