import { isIPv6, Socket } from 'node:net';
import { type Clock, sleep } from '#runtime';
import { SystemCallError, systemCall } from './libc.ts';
import type { PodNetns } from './pod-netns.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;

/** struct sockaddr_in or sockaddr_in6 (ip(7), ipv6(7)). */
function socketAddress(host: string, port: number): Uint8Array {
  const portBytes = [port >> 8, port & 0xff];
  if (!isIPv6(host))
    return Uint8Array.from([AF_INET, 0, ...portBytes, ...host.split('.').map(Number), ...Array(8).fill(0)]);
  const [head = '', tail] = host.split('::');
  const groups = (text: string | undefined) => (text === undefined || text === '' ? [] : text.split(':'));
  const zeros = 8 - groups(head).length - groups(tail).length;
  const words = [
    ...groups(head),
    ...Array<string>(tail === undefined ? 0 : zeros).fill('0'),
    ...groups(tail),
  ];
  const bytes = words.flatMap((word) => {
    const value = Number.parseInt(word, 16);
    return [value >> 8, value & 0xff];
  });
  return Uint8Array.from([AF_INET6, 0, ...portBytes, 0, 0, 0, 0, ...bytes, 0, 0, 0, 0]);
}

/**
 * Opens a TCP connection from inside a network namespace. Node makes its sockets later than `connect` is called, so
 * the socket is made here.
 * @param host an address, not a name
 * @throws SystemCallError `ECONNREFUSED`, `ETIMEDOUT`, …; or the signal's reason
 */
export async function connectInNetns(
  netns: PodNetns,
  host: string,
  port: number,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Socket> {
  const family = isIPv6(host) ? AF_INET6 : AF_INET;
  const address = socketAddress(host, port);
  const fd = netns.run(() =>
    systemCall('socket', (libc) => libc.socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
  );
  try {
    // A second connect tells how the first went: EISCONN or nothing when it is there, EALREADY while it is under way.
    for (let wait = 1; ; wait = Math.min(2 * wait, 100)) {
      try {
        systemCall(`connect ${host}:${port}`, (libc) => libc.connect(fd, address, address.length));
        break;
      } catch (error) {
        if (!(error instanceof SystemCallError)) throw error;
        if (error.errno === 'EISCONN') break;
        if (error.errno !== 'EINPROGRESS' && error.errno !== 'EALREADY') throw error;
      }
      await sleep(options.clock, wait, options.signal);
    }
    return new Socket({ fd, readable: true, writable: true });
  } catch (error) {
    systemCall('close', (libc) => libc.close(fd));
    throw error;
  }
}
