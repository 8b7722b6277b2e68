import { createServer, type Server } from 'node:net';
import { hasErrorCode } from '#runtime';
import { LabError } from './errors.ts';

/**
 * A listening socket that is meant to be handed down, not accepted from. Whoever connects before its owner accepts
 * waits in the kernel's queue and need not try again.
 */
export interface InheritableListener extends Disposable {
  readonly fd: number;
  readonly port: number;
}

const LOOPBACK = '127.0.0.1';

/** Listens on this machine's loopback, at `preferred` when that port is free. 0 is any. */
export async function listenOnLoopback(preferred: number): Promise<InheritableListener> {
  try {
    return await listenAt(LOOPBACK, preferred);
  } catch (error) {
    if (preferred === 0 || !hasErrorCode(error, 'EADDRINUSE')) throw error;
    return await listenAt(LOOPBACK, 0);
  }
}

export async function listenAt(host: string, port: number): Promise<InheritableListener> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  const fd = descriptorOf(server);
  if (address === null || typeof address === 'string' || fd === undefined)
    throw new LabError(`cannot listen on ${host}`);
  return { fd, port: address.port, [Symbol.dispose]: () => void server.close() };
}

/** Node has no public name for a listening socket's descriptor. */
function descriptorOf(
  server: Server & { readonly _handle?: { readonly fd?: unknown } | null },
): number | undefined {
  const fd = server._handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
