import type { IpAddress } from '#ip';
import { type Frontend, type FrontendKey, frontendKey, type Protocol } from '../../table/entry.ts';
import { transport } from '../../table/transport.ts';

/** IANA. */
export const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Types of the parts of a frontend's key. */
export const PLACE = ['address', 'protocol', 'port'] as const;

/** A frontend's key in the maps: `10.96.0.1 . tcp . 80`. */
export function placeText(frontend: Pick<Frontend, 'address' | 'protocol' | 'port'>): string {
  return `${frontend.address} . ${transport(frontend.protocol)} . ${frontend.port}`;
}

/** What {@link placeText} was made of. */
export function placeKey(place: string): FrontendKey {
  const [address, protocol, port] = place.split(' . ');
  return frontendKey(address as IpAddress, (protocol ?? '').toUpperCase() as Protocol, Number(port));
}
