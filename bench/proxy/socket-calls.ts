import koffi from 'koffi';
import { type IpAddress, ipToBytes } from '#ip';
import type { NetworkNamespace } from '#kernel';

/**
 * One thread does all system calls of both ends, so no scheduler is measured: a packet goes through both links, the node's rules
 * and routes within the call that sends it.
 */
const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)');
const bind = libc.func('int bind(int, void *, uint)');
const listen = libc.func('int listen(int, int)');
const accept = libc.func('int accept(int, void *, void *)');
const connect = libc.func('int connect(int, void *, uint)');
const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint)');
const send = libc.func('intptr_t send(int, void *, size_t, int)');
const sendto = libc.func('intptr_t sendto(int, void *, size_t, int, void *, uint)');
const recv = libc.func('intptr_t recv(int, void *, size_t, int)');
const recvfrom = libc.func('intptr_t recvfrom(int, void *, size_t, int, void *, void *)');
const close = libc.func('int close(int)');

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_RCVTIMEO = 20;
const MSG_DONTWAIT = 0x40;

/** One batch of {@link throughput}. */
const BATCH_BYTES = 8 * 2 ** 20;
const CHUNK = Buffer.alloc(128 * 1024);

const ADDRESS = Buffer.alloc(16);
const LENGTH = Buffer.alloc(4);

/** @returns microseconds */
export function firstPacket(to: Buffer, server: number): number {
  const fd = call('socket', socket(AF_INET, SOCK_DGRAM, 0));
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, PATIENCE, PATIENCE.length);
  call('connect', connect(fd, to, to.length));
  const begun = performance.now();
  call('send', send(fd, CHUNK, 1, 0));
  LENGTH.writeUInt32LE(ADDRESS.length);
  call('recvfrom', recvfrom(server, CHUNK, 1, 0, ADDRESS, LENGTH));
  call('sendto', sendto(server, CHUNK, 1, 0, ADDRESS, ADDRESS.length));
  call('recv', recv(fd, CHUNK, 1, 0));
  const ended = performance.now();
  close(fd);
  return (ended - begun) * 1000;
}

/** Nothing takes so long but what does not come. */
const PATIENCE_SECONDS = 5;
const PATIENCE = timeval(PATIENCE_SECONDS);
/** Ends with a reset: no port is left waiting. */
const NO_LINGER = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

/** @returns microseconds of connect() */
export function connection(to: Buffer, listener: number): number {
  const fd = call('socket', socket(AF_INET, SOCK_STREAM, 0));
  setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
  const begun = performance.now();
  call('connect', connect(fd, to, to.length));
  const ended = performance.now();
  const accepted = call('accept', accept(listener, null, null));
  close(fd);
  close(accepted);
  return (ended - begun) * 1000;
}

/** Over a connection of its own: what buffers the kernel has found good differs from one to the next. @returns Gbit/s */
export function throughput(to: Buffer, listener: number): number {
  const fd = call('socket', socket(AF_INET, SOCK_STREAM, 0));
  setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
  call('connect', connect(fd, to, to.length));
  const accepted = call('accept', accept(listener, null, null));
  const begun = performance.now();
  for (let received = 0, sent = 0; received < BATCH_BYTES; ) {
    if (performance.now() - begun > PATIENCE_SECONDS * 1000) throw new Error('the transfer does not end');
    if (sent < BATCH_BYTES) sent += Math.max(0, Number(send(fd, CHUNK, CHUNK.length, MSG_DONTWAIT)));
    received += Math.max(0, Number(recv(accepted, CHUNK, CHUNK.length, MSG_DONTWAIT)));
  }
  const ended = performance.now();
  close(fd);
  close(accepted);
  return (BATCH_BYTES * 8) / (ended - begun) / 1e6;
}

export function sockaddr(address: IpAddress, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(address), 4);
  return bytes;
}

/** The server's sockets: one that listens, one for datagrams. */
export function serverSockets(
  server: NetworkNamespace,
  own: Buffer,
): { readonly listener: number; readonly datagrams: number } {
  const sockets = server.run(() => ({
    listener: call('socket', socket(AF_INET, SOCK_STREAM, 0)),
    datagrams: call('socket', socket(AF_INET, SOCK_DGRAM, 0)),
  }));
  for (const fd of Object.values(sockets)) {
    call('bind', bind(fd, own, own.length));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, PATIENCE, PATIENCE.length);
  }
  call('listen', listen(sockets.listener, 4096));
  return sockets;
}

function timeval(seconds: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(seconds));
  return bytes;
}

function call(name: string, result: unknown): number {
  if (Number(result) < 0) throw new Error(`${name}: errno ${koffi.errno()}`);
  return Number(result);
}
