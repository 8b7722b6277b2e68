import { type IpAddress, ipFromBytes } from '#ip';
import { KernelError } from '../errors.ts';
import { AF_INET, encodeSocketAddress } from '../netlink/socket-address.ts';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { openSocketIn } from './bind-in.ts';
import { lastErrno, libc } from './libc.ts';

/**
 * Sockets as bare descriptors, for who carries many of them with a {@link Poller}: results are numbers and nothing is thrown or
 * allocated on the way of a packet.
 */

/** Not now: the poller says when. */
export const NOT_NOW = -1;
/** The socket is of no use any more; or, of a listening one, the connection that was next. */
export const FAILED = -2;
/** No descriptor, or no memory, is left for another connection: later there may be. */
export const NO_ROOM = -3;

const SOCK_NONBLOCK_CLOEXEC = 0x80800;
const MSG_NOSIGNAL = 0x4000;
const SHUT_WR = 1;
const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const SOL_TCP = 6;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
/** struct linger: on, no seconds. */
const NO_LINGER = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
const ONE = Buffer.from([1, 0, 0, 0]);
const OUT_OF_ROOM = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM'];

/** Who a connection or packet came from: filled again and again. */
export class PeerAddress {
  /** struct sockaddr_in or sockaddr_in6. */
  readonly bytes = Buffer.alloc(28);
  readonly length = Buffer.from([28, 0, 0, 0]);

  get address(): IpAddress {
    const v4 = this.bytes[0] === AF_INET;
    return ipFromBytes(new Uint8Array(v4 ? this.bytes.subarray(4, 8) : this.bytes.subarray(8, 24)));
  }
  /** The address and port, as short text that is the same for the same. */
  get key(): string {
    return this.bytes.toString('latin1', 2, this.bytes[0] === AF_INET ? 8 : 24);
  }
  /** The `struct sockaddr` alone. */
  copy(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.bytes[0] === AF_INET ? 16 : 28));
  }
}

/** @returns the connection, {@link NOT_NOW}, {@link FAILED} or {@link NO_ROOM} */
export function acceptConnection(listener: number, peer: PeerAddress): number {
  peer.length.writeUInt32LE(peer.bytes.length);
  const fd = libc().accept4(listener, peer.bytes, peer.length, SOCK_NONBLOCK_CLOEXEC);
  if (fd >= 0) return fd;
  const errno = lastErrno();
  if (errno === 'EAGAIN') return NOT_NOW;
  return noRoomOrFailed(errno);
}

/**
 * Opens a socket and begins to connect it; a UDP socket is connected then.
 * @returns the socket, {@link FAILED} or {@link NO_ROOM}
 */
export function beginConnection(
  netns: NetworkNamespace,
  protocol: 'tcp' | 'udp',
  address: IpAddress,
  port: number,
): number {
  let fd: number;
  try {
    fd = openSocketIn(netns, protocol, address);
  } catch (error) {
    if (error instanceof KernelError) return noRoomOrFailed(error.errno);
    throw error;
  }
  const target = encodeSocketAddress(address, port);
  if (libc().connect(fd, target, target.length) === 0) return fd;
  const errno = lastErrno();
  if (errno === 'EINPROGRESS') return fd;
  libc().close(fd);
  return noRoomOrFailed(errno);
}

function noRoomOrFailed(errno: string): number {
  return OUT_OF_ROOM.includes(errno) ? NO_ROOM : FAILED;
}

/** Small packets go at once, and a silent connection is asked for. Accepted connections have what their listener has. */
export function setStreamOptions(fd: number, keepAliveSeconds: number): void {
  const seconds = Buffer.alloc(4);
  seconds.writeUInt32LE(keepAliveSeconds);
  libc().setsockopt(fd, SOL_TCP, TCP_NODELAY, ONE, 4);
  libc().setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, ONE, 4);
  libc().setsockopt(fd, SOL_TCP, TCP_KEEPIDLE, seconds, 4);
}

/** @returns octets; of a stream 0: its end; {@link NOT_NOW}, {@link FAILED} */
export function receive(fd: number, into: Buffer): number {
  const octets = libc().recv(fd, into, into.length, 0);
  return octets >= 0 ? octets : failure();
}

/** @returns octets, {@link NOT_NOW}, {@link FAILED} */
export function receiveFrom(fd: number, into: Buffer, peer: PeerAddress): number {
  peer.length.writeUInt32LE(peer.bytes.length);
  const octets = libc().recvfrom(fd, into, into.length, 0, peer.bytes, peer.length);
  return octets >= 0 ? octets : failure();
}

/** Sends the first `length` octets. @returns how many were taken, {@link NOT_NOW}, {@link FAILED} */
export function transmit(fd: number, bytes: Buffer, length: number): number {
  const octets = libc().send(fd, bytes, length, MSG_NOSIGNAL);
  return octets >= 0 ? octets : failure();
}

/** @returns as {@link transmit} */
export function transmitTo(fd: number, bytes: Buffer, length: number, to: Buffer): number {
  const octets = libc().sendto(fd, bytes, length, MSG_NOSIGNAL, to, to.length);
  return octets >= 0 ? octets : failure();
}

/** The end of this direction; the other goes on. */
export function endSending(fd: number): void {
  libc().shutdown(fd, SHUT_WR);
}

/** The other side is told that the connection has failed (RST), not that it has ended. */
export function resetOnClose(fd: number): void {
  libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
}

export function closeDescriptor(fd: number): void {
  libc().close(fd);
}

function failure(): number {
  return lastErrno() === 'EAGAIN' ? NOT_NOW : FAILED;
}
