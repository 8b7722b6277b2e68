import type { ConntrackEntry } from '#kernel';
import { type FrontendKey, frontendKey, type Protocol } from '../table/entry.ts';

/** IANA protocol numbers. */
const PROTOCOLS: ReadonlyMap<number, Protocol> = new Map([
  [6, 'TCP'],
  [17, 'UDP'],
  [132, 'SCTP'],
]);

/** The place that a connection was addressed to, before any translation; undefined: its protocol is none of Services'. */
export function addressedPlace({ original }: Pick<ConntrackEntry, 'original'>): FrontendKey | undefined {
  const { protocol: number, destination, destinationPort } = original;
  const protocol = PROTOCOLS.get(number);
  if (protocol === undefined || destinationPort === undefined) return undefined;
  return frontendKey(destination, protocol, destinationPort);
}

/** Whether somebody else answers than was asked. */
export function isTranslated({ original, reply }: ConntrackEntry): boolean {
  return reply.source !== original.destination || reply.sourcePort !== original.destinationPort;
}
