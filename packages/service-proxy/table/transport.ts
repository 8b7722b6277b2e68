import type { Protocol } from './entry.ts';

/** Protocols as the kernel's tools spell them. */
export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
export type TransportProtocol = (typeof PROTOCOLS)[number];

export function transport(protocol: Protocol): TransportProtocol {
  switch (protocol) {
    case 'TCP':
      return 'tcp';
    case 'UDP':
      return 'udp';
    case 'SCTP':
      return 'sctp';
  }
}
