import { closeSync } from 'node:fs';
import type { IpAddress } from '#ip';
import { bindIn, type NetworkNamespace } from '#kernel';
import type { InheritedDescriptors } from './supervised-process.ts';

const DNS_PORT = 53;

/** The sockets of one node's cluster DNS. */
export interface DnsSockets extends Disposable {
  /** For each incarnation of the agent. */
  readonly descriptors: () => Promise<InheritedDescriptors>;
}

/**
 * Binds what the agent answers DNS on, before the agent brings the address and for longer than it lives: what is asked
 * while it restarts waits here, and is answered by the next one.
 */
export function bindDnsSockets(netns: NetworkNamespace, address: IpAddress): DnsSockets {
  const bound = (['udp', 'tcp'] as const).map((protocol) =>
    bindIn(netns, { protocol, address, port: DNS_PORT, freeBind: true }),
  );
  return {
    descriptors: async () => ({
      fds: bound,
      names: ['dns-udp', 'dns-tcp'],
      [Symbol.dispose]: () => {},
    }),
    [Symbol.dispose]: () => bound.forEach((fd) => void closeSync(fd)),
  };
}
