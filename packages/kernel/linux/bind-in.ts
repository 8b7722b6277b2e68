import { familyOf, type IpAddress } from '#ip';
import { KernelError } from '../errors.ts';
import { AF_INET, AF_INET6, encodeSocketAddress } from '../netlink/socket-address.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { check, libc } from './libc.ts';
import { requireLinuxNamespace } from './namespace.ts';

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0x800;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_REUSEPORT = 15;
const SOL_IP = 0;
const IP_FREEBIND = 15;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const IPV6_FREEBIND = 78;
const BACKLOG = 511;

export interface BindOptions {
  readonly protocol: 'tcp' | 'udp';
  readonly address: IpAddress;
  /** 0 lets the kernel choose. */
  readonly port: number;
  /** Several sockets may share the address and port. */
  readonly reusePort?: boolean;
  /** The address need not be on a link yet. */
  readonly freeBind?: boolean;
}

/**
 * Binds a socket inside a namespace and returns its file descriptor, for Node to take over:
 * `server.listen({ fd })` (TCP, listening already) or `dgramSocket.bind({ fd })` (UDP). Who takes it closes it.
 * An IPv6 socket takes no IPv4 traffic.
 * @throws KernelError `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`
 */
export function bindIn(netns: NetworkNamespace, options: BindOptions): number {
  const fd = openSocketIn(netns, options.protocol, options.address);
  try {
    if (options.protocol === 'tcp') setFlag(fd, SOL_SOCKET, SO_REUSEADDR);
    if (options.reusePort) setFlag(fd, SOL_SOCKET, SO_REUSEPORT);
    const v4 = familyOf(options.address) === 'IPv4';
    if (!v4) setFlag(fd, SOL_IPV6, IPV6_V6ONLY);
    if (options.freeBind) setFlag(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_FREEBIND : IPV6_FREEBIND);
    const object = `${options.protocol} ${options.address} port ${options.port}`;
    const address = encodeSocketAddress(options.address, options.port);
    check(libc().bind(fd, address, address.length), 'bind', object);
    if (options.protocol === 'tcp') check(libc().listen(fd, BACKLOG), 'listen on', object);
    return fd;
  } catch (error) {
    libc().close(fd);
    throw error;
  }
}

/** An unbound, non-blocking socket that belongs to the namespace wherever it is used. */
export function openSocketIn(netns: NetworkNamespace, protocol: 'tcp' | 'udp', address: IpAddress): number {
  requireLinuxNamespace(netns);
  const domain = familyOf(address) === 'IPv4' ? AF_INET : AF_INET6;
  const type = (protocol === 'tcp' ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  return netns.run(() => check(libc().socket(domain, type, 0), 'open', `${protocol} socket`));
}

function setFlag(fd: number, level: number, name: number): void {
  const one = Buffer.from([1, 0, 0, 0]);
  if (libc().setsockopt(fd, level, name, one, one.length) < 0)
    throw new KernelError({
      errno: 'ENOPROTOOPT',
      operation: 'set',
      object: `socket option ${level}/${name}`,
    });
}
