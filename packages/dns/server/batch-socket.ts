import type Koffi from 'koffi';
import { familyOf, type IpAddress } from '#ip';
import {
  AF_INET,
  AF_INET6,
  BatchSocketError,
  duplicate,
  readSocketAddress,
  SOCKADDR_OCTETS,
  SOL_SOCKET,
  type SocketCalls,
  socketCalls,
  writeSocketAddress,
} from './socket-calls.ts';

/** Messages taken from or given to the kernel in one call. */
const BATCH = 64;
/** No query is longer; what is longer is cut by the kernel and dropped. */
const RECEIVE_OCTETS = 2048;
const SEND_OCTETS = 2048;

// Layouts of Linux on 64-bit machines: struct mmsghdr is struct msghdr (56) and msg_len; struct iovec is 16.
const MMSGHDR = 64;
const IOVEC = 16;
const MSG_NAMELEN = 8;
const MSG_FLAGS = 48;
const MSG_LEN = 56;

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK_CLOEXEC = 0x80800;
const SO_RCVBUF = 8;
const SO_SNDBUF = 7;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;

/** Given a packet (the first `length` octets) and who sent it, writes the reply to `out` and returns its length; 0: no reply now. */
export type PacketHandler = (packet: Buffer, length: number, from: SocketAddress, out: Buffer) => number;

/** A socket address as the kernel gave it: valid during the call that it is given to, or after {@link SocketAddress.keep}. */
export class SocketAddress {
  readonly bytes: Buffer;
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
  /** The `clientKey` of the address. */
  get key(): number | string {
    return this.bytes[0] === AF_INET ? this.bytes.readUInt32BE(4) : this.address;
  }
  get address(): IpAddress {
    return readSocketAddress(this.bytes).address;
  }
  keep(): SocketAddress {
    return new SocketAddress(Buffer.from(this.bytes));
  }
}

/** `count` message headers, each with a buffer and a name of its own, laid out once and used for every call. */
class MessageBatch {
  readonly headers = Buffer.alloc(BATCH * MMSGHDR);
  readonly buffers: readonly Buffer[];
  readonly names: readonly Buffer[];
  /** Kept alive: the headers point into it. */
  readonly #vectors = Buffer.alloc(BATCH * IOVEC);

  constructor(koffi: typeof Koffi, octets: number) {
    const data = Buffer.alloc(BATCH * octets);
    const names = Buffer.alloc(BATCH * SOCKADDR_OCTETS);
    this.buffers = Array.from({ length: BATCH }, (_, i) => data.subarray(i * octets, (i + 1) * octets));
    this.names = Array.from({ length: BATCH }, (_, i) =>
      names.subarray(i * SOCKADDR_OCTETS, (i + 1) * SOCKADDR_OCTETS),
    );
    const dataAt = koffi.address(data);
    const namesAt = koffi.address(names);
    const vectorsAt = koffi.address(this.#vectors);
    for (let i = 0; i < BATCH; i++) {
      this.#vectors.writeBigUInt64LE(dataAt + BigInt(i * octets), i * IOVEC);
      this.#vectors.writeBigUInt64LE(BigInt(octets), i * IOVEC + 8);
      const header = i * MMSGHDR;
      this.headers.writeBigUInt64LE(namesAt + BigInt(i * SOCKADDR_OCTETS), header);
      this.headers.writeUInt32LE(SOCKADDR_OCTETS, header + MSG_NAMELEN);
      this.headers.writeBigUInt64LE(vectorsAt + BigInt(i * IOVEC), header + 16);
      this.headers.writeBigUInt64LE(1n, header + 24);
    }
  }

  setLength(i: number, octets: number): void {
    this.#vectors.writeUInt32LE(octets, i * IOVEC + 8);
  }
}

/**
 * A UDP socket that takes and gives many packets in one system call, recvmmsg(2) and sendmmsg(2), when they are there:
 * at most one event and two calls for a batch, where a socket of node:dgram needs two calls for each packet.
 */
export class BatchSocket implements Disposable {
  readonly port: number;
  readonly #fd: number;
  readonly #handler: PacketHandler;
  readonly #calls: SocketCalls;
  readonly #poll: ReturnType<typeof Koffi.node.poll>;
  readonly #received: MessageBatch;
  readonly #sent: MessageBatch;
  readonly #late: MessageBatch;
  readonly #from: readonly SocketAddress[];
  readonly #nameLength: number;
  #closed = false;
  /** Replies the kernel did not take. */
  unsent = 0;

  /**
   * Binds; or goes on with `fd`, a socket bound to that address, of which it takes a duplicate.
   * @throws BatchSocketError with the errno's name
   */
  constructor(
    options: {
      readonly address: IpAddress;
      readonly port: number;
      readonly bufferOctets: number;
      readonly fd?: number | undefined;
    },
    handler: PacketHandler,
  ) {
    const { koffi, calls } = socketCalls();
    this.#calls = calls;
    this.#handler = handler;
    const name = writeSocketAddress(options.address, options.port);
    this.#nameLength = name.length;
    this.#fd = options.fd === undefined ? bind(calls, options.address, options.port) : duplicate(options.fd);
    setBuffer(calls, this.#fd, SO_RCVBUFFORCE, SO_RCVBUF, options.bufferOctets);
    setBuffer(calls, this.#fd, SO_SNDBUFFORCE, SO_SNDBUF, options.bufferOctets);
    calls.getsockname(this.#fd, name, int(name.length));
    this.port = readSocketAddress(name).port;
    this.#received = new MessageBatch(koffi, RECEIVE_OCTETS);
    this.#sent = new MessageBatch(koffi, SEND_OCTETS);
    this.#late = new MessageBatch(koffi, SEND_OCTETS);
    this.#from = this.#received.names.map((bytes) => new SocketAddress(bytes));
    this.#poll = koffi.node.poll(this.#fd, { readable: true }, () => this.#onReadable());
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#poll.stop();
    this.#poll.close();
    this.#calls.close(this.#fd);
  }

  /** A reply that was not ready when its packet came. */
  send(reply: Uint8Array, to: SocketAddress): void {
    // The descriptor may be another file's by now.
    if (this.#closed) return;
    this.#fill(this.#late, 0, to);
    this.#late.buffers[0]?.set(reply);
    this.#late.setLength(0, reply.length);
    if (this.#calls.sendmmsg(this.#fd, this.#late.headers, 1, MSG_DONTWAIT) !== 1) this.unsent++;
  }

  #onReadable(): void {
    const { headers, buffers } = this.#received;
    // A bounded number of batches, so that one busy socket does not keep the loop from all else.
    for (let round = 0; round < 4; round++) {
      const count = this.#calls.recvmmsg(this.#fd, headers, BATCH, MSG_DONTWAIT, null);
      // An error on the socket ends the event loop's polling, and reading takes the error away: poll again.
      if (round === 0 && count <= 0) this.#poll.start({ readable: true }, () => this.#onReadable());
      let replies = 0;
      for (let i = 0; i < count; i++) {
        const header = i * MMSGHDR;
        const from = this.#from[i];
        const packet = buffers[i];
        const out = this.#sent.buffers[replies];
        if (from === undefined || packet === undefined || out === undefined) break;
        const length = headers.readUInt32LE(header + MSG_LEN);
        headers.writeUInt32LE(SOCKADDR_OCTETS, header + MSG_NAMELEN);
        if ((headers.readUInt32LE(header + MSG_FLAGS) & MSG_TRUNC) !== 0) continue;
        const octets = this.#handler(packet, length, from, out);
        if (octets === 0) continue;
        this.#fill(this.#sent, replies, from);
        this.#sent.setLength(replies, octets);
        replies++;
      }
      if (replies > 0) this.#flush(replies);
      if (count < BATCH) return;
    }
  }

  #fill(batch: MessageBatch, i: number, to: SocketAddress): void {
    const name = batch.names[i];
    for (let at = 0; name !== undefined && at < this.#nameLength; at++) name[at] = to.bytes[at] ?? 0;
    batch.headers.writeUInt32LE(this.#nameLength, i * MMSGHDR + MSG_NAMELEN);
  }

  #flush(replies: number): void {
    let sent = 0;
    while (sent < replies) {
      const taken = this.#calls.sendmmsg(
        this.#fd,
        sent === 0 ? this.#sent.headers : this.#sent.headers.subarray(sent * MMSGHDR),
        replies - sent,
        MSG_DONTWAIT,
      );
      // What the kernel refuses (a full buffer, an unreachable client) is lost, as UDP may be: pass over it.
      if (taken <= 0) this.unsent++;
      sent += Math.max(1, taken);
    }
  }
}

function int(value: number): Buffer {
  return Buffer.from(Int32Array.of(value).buffer);
}

function bind(calls: SocketCalls, address: IpAddress, port: number): number {
  const v4 = familyOf(address) === 'IPv4';
  const object = `${address} port ${port}`;
  const fd = calls.socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw new BatchSocketError('open a socket for', object);
  if (!v4) calls.setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, int(1), 4);
  const name = writeSocketAddress(address, port);
  if (calls.bind(fd, name, name.length) >= 0) return fd;
  const error = new BatchSocketError('bind', object);
  calls.close(fd);
  throw error;
}

/** Beyond the machine's limit (net.core.rmem_max) where that is allowed, else up to it. */
function setBuffer(calls: SocketCalls, fd: number, force: number, plain: number, octets: number): void {
  if (calls.setsockopt(fd, SOL_SOCKET, force, int(octets), 4) < 0)
    calls.setsockopt(fd, SOL_SOCKET, plain, int(octets), 4);
}
