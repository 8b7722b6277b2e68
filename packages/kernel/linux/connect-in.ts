import { Socket } from 'node:net';
import type { IpAddress } from '#ip';
import { errnoName } from '#runtime';
import { KernelError } from '../errors.ts';
import { encodeSocketAddress } from '../netlink/socket-address.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { openSocketIn } from './bind-in.ts';
import { check, koffi, lastErrno, libc } from './libc.ts';

const SOL_SOCKET = 1;
const SO_ERROR = 4;

/**
 * Opens a TCP connection from inside a namespace: to a Pod's own loopback, or with its routes and rules.
 * @throws KernelError `ECONNREFUSED`, `EHOSTUNREACH`, `ENETUNREACH`, `ETIMEDOUT`; the signal's reason when aborted
 */
export async function connectIn(
  netns: NetworkNamespace,
  address: IpAddress,
  port: number,
  options: { readonly signal?: AbortSignal; readonly allowHalfOpen?: boolean } = {},
): Promise<Socket> {
  const { signal, allowHalfOpen = false } = options;
  signal?.throwIfAborted();
  const operation = 'connect to';
  const object = `${address} port ${port}`;
  const target = encodeSocketAddress(address, port);
  const fd = openSocketIn(netns, 'tcp', address);
  try {
    if (libc().connect(fd, target, target.length) < 0) {
      const errno = lastErrno();
      if (errno !== 'EINPROGRESS') throw new KernelError({ errno, operation, object });
      await writable(fd, signal);
      const error = Buffer.alloc(4);
      check(libc().getsockopt(fd, SOL_SOCKET, SO_ERROR, error, Buffer.from([4, 0, 0, 0])), operation, object);
      if (error.readInt32LE() !== 0)
        throw new KernelError({ errno: errnoName(error.readInt32LE()), operation, object });
    }
    return new Socket({ fd, readable: true, writable: true, allowHalfOpen });
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/** Resolves when a connecting socket is connected or has failed. */
function writable(fd: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const poll = koffi().node.poll(fd, { writable: true, disconnect: true }, () => settle(resolve));
    const onAbort = () => settle(() => reject(signal?.reason));
    signal?.addEventListener('abort', onAbort, { once: true });
    function settle(then: () => void): void {
      signal?.removeEventListener('abort', onAbort);
      poll.close();
      then();
    }
  });
}
