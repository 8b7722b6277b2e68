import { type ConntrackPort, KernelError } from '#kernel';
import { addressedPlace } from '../../conntrack/flow.ts';
import type { FrontendKey } from '../../table/entry.ts';

const IPPROTO_TCP = 6;
/** include/uapi/linux/netfilter/nf_conntrack_common.h */
const IPS_SEEN_REPLY = 1 << 1;

/**
 * A packet that a socket's filter has dropped has passed conntrack, which remembers a connection that nobody translates: the client's next try
 * would pass the rules of whatever mechanism comes next as that connection, and be refused. Without conntrack there is nothing to forget.
 */
export async function forgetSilencedClients(
  conntrack: ConntrackPort,
  places: ReadonlySet<FrontendKey>,
): Promise<void> {
  try {
    for (const entry of await conntrack.list({ protocol: IPPROTO_TCP })) {
      const place = addressedPlace(entry);
      if ((entry.status & IPS_SEEN_REPLY) === 0 && place !== undefined && places.has(place))
        conntrack.delete(entry);
    }
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
}
