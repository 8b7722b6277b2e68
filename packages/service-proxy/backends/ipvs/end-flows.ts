import type { ConntrackPort } from '#kernel';
import { addressedPlace } from '../../conntrack/flow.ts';
import type { FrontendKey } from '../../table/entry.ts';

/** include/uapi/linux/netfilter/nf_conntrack_common.h */
const IPS_DST_NAT = 1 << 5;

/**
 * Makes conntrack forget what IPVS has translated at some places, so that the next packet of such a connection is answered by the mechanism
 * that serves now.
 */
export async function endFlows(conntrack: ConntrackPort, places: ReadonlySet<FrontendKey>): Promise<void> {
  for (const entry of await conntrack.list()) {
    const { original, reply, status } = entry;
    const place = addressedPlace(entry);
    if (place === undefined || !places.has(place)) continue;
    // IPVS translates without the flag that NAT rules leave.
    if ((status & IPS_DST_NAT) === 0 && reply.source !== original.destination) conntrack.delete(entry);
  }
}
