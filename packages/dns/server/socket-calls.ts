import { familyOf, type IpAddress, ipFromBytes, ipToBytes } from '#ip';
import { errnoName, libcCalls, PodwayError } from '#runtime';

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOL_SOCKET = 1;
/** sockaddr_in6; sockaddr_in is shorter. */
export const SOCKADDR_OCTETS = 28;
/** include/uapi/asm-generic/ioctls.h: close the descriptor on execve. */
const FIOCLEX = 0x5451;

/** The calls of the C library that sockets here are used by. Each returns -1 and sets errno. */
export interface SocketCalls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, length: Uint8Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number;
  ioctl(fd: number, request: number, argument: null): number;
  dup(fd: number): number;
  close(fd: number): number;
}

export const socketCalls = libcCalls<SocketCalls>({
  socket: 'int socket(int, int, int)',
  bind: 'int bind(int, void *, uint)',
  getsockname: 'int getsockname(int, void *, void *)',
  getsockopt: 'int getsockopt(int, int, int, void *, void *)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint)',
  recvmmsg: 'int recvmmsg(int, void *, uint, int, void *)',
  sendmmsg: 'int sendmmsg(int, void *, uint, int)',
  ioctl: 'int ioctl(int, ulong, void *)',
  dup: 'int dup(int)',
  close: 'int close(int)',
});

/** A call that failed; made right after it, for it reads errno. */
export class BatchSocketError extends PodwayError {
  readonly code = 'DnsSocket';
  /** The errno's name. */
  readonly errno: string;
  constructor(operation: string, object: string) {
    const errno = errnoName(socketCalls().koffi.errno());
    super(`cannot ${operation} ${object}: ${errno}`);
    this.errno = errno;
  }
}

/** A second descriptor of the same socket, which no process started from here gets. @throws BatchSocketError */
export function duplicate(fd: number): number {
  const { calls } = socketCalls();
  const copy = calls.dup(fd);
  if (copy < 0) throw new BatchSocketError('duplicate', `socket ${fd}`);
  closeOnExec(copy);
  return copy;
}

export function closeOnExec(fd: number): void {
  socketCalls().calls.ioctl(fd, FIOCLEX, null);
}

/** struct sockaddr_in or sockaddr_in6. */
export function writeSocketAddress(address: IpAddress, port: number): Buffer {
  const v4 = familyOf(address) === 'IPv4';
  const bytes = Buffer.alloc(v4 ? 16 : SOCKADDR_OCTETS);
  bytes.writeUInt16LE(v4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(address), v4 ? 4 : 8);
  return bytes;
}

/** `bytes` must begin with a sockaddr_in or sockaddr_in6. */
export function readSocketAddress(bytes: Buffer): { readonly address: IpAddress; readonly port: number } {
  const octets = bytes[0] === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24);
  return { address: ipFromBytes(Uint8Array.from(octets)), port: bytes.readUInt16BE(2) };
}
