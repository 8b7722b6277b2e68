import type { TransportProtocol } from '../../table/transport.ts';

/**
 * Endpoints by address, port and slot. One map for each protocol: nft 1.0 cannot use a map whose type says `th dport` or another
 * protocol's port in a rule that is added later.
 */
export function endpointMap(protocol: TransportProtocol): string {
  return `${protocol}_endpoints`;
}

/** The same of endpoints on this node, for traffic policy `Local`. */
export function localEndpointMap(protocol: TransportProtocol): string {
  return `${protocol}_local_endpoints`;
}
