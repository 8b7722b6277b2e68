import type Koffi from 'koffi';
import { familyOf, type IpAddress } from '#ip';
import type { Clock } from '#runtime';
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
/** With so many messages in a call, another one is made at once. */
const EAGER = 4;
/** No query is longer (what is cut by the kernel is dropped), and no reply over UDP. */
const MESSAGE_OCTETS = 2048;
/** A power of two apart, the first octets of all messages would compete for the same few lines of the processor's cache. */
const BUFFER_STRIDE = MESSAGE_OCTETS + 64;
const NAME_STRIDE = 32;

// Layouts of Linux on 64-bit machines: struct mmsghdr is struct msghdr (56) and msg_len; struct iovec is 16.
const MMSGHDR = 64;
const IOVEC = 16;
const HEADER_WORDS = MMSGHDR / 4;
const FLAGS_WORD = 48 / 4;
const LENGTH_WORD = 56 / 4;

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

/**
 * Given a packet (the first `length` octets), who sent it and the monotonic time, writes the reply to `out` and returns
 * its length; 0: no reply now.
 */
export type PacketHandler = (
  packet: Buffer,
  length: number,
  from: SocketAddress,
  out: Buffer,
  now: number,
) => number;

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

/** Message headers, each with a buffer of its own and a place in `names`, laid out once and used for every call. */
class MessageBatch {
  readonly headers = Buffer.alloc(BATCH * MMSGHDR);
  /** The headers again. */
  readonly words = new Uint32Array(this.headers.buffer, this.headers.byteOffset, this.headers.length / 4);
  readonly buffers: readonly Buffer[];
  /** Kept alive: the headers point into it. */
  readonly #vectors = new Uint32Array((BATCH * IOVEC) / 4);

  constructor(koffi: typeof Koffi, names: Buffer, nameLength: number) {
    const data = Buffer.alloc(BATCH * BUFFER_STRIDE);
    this.buffers = Array.from({ length: BATCH }, (_, i) =>
      data.subarray(i * BUFFER_STRIDE, i * BUFFER_STRIDE + MESSAGE_OCTETS),
    );
    const vectors = new BigUint64Array(this.#vectors.buffer);
    const dataAt = koffi.address(data);
    const namesAt = koffi.address(names);
    const vectorsAt = koffi.address(this.#vectors);
    for (let i = 0; i < BATCH; i++) {
      vectors[i * 2] = dataAt + BigInt(i * BUFFER_STRIDE);
      vectors[i * 2 + 1] = BigInt(MESSAGE_OCTETS);
      const header = i * MMSGHDR;
      this.headers.writeBigUInt64LE(namesAt + BigInt(i * NAME_STRIDE), header);
      // What the kernel writes here when it receives is what it found: every name on one socket is of one length.
      this.headers.writeUInt32LE(nameLength, header + 8);
      this.headers.writeBigUInt64LE(vectorsAt + BigInt(i * IOVEC), header + 16);
      this.headers.writeBigUInt64LE(1n, header + 24);
    }
  }

  setLength(i: number, octets: number): void {
    this.#vectors[i * 4 + 2] = octets;
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
  readonly #lateNames = Buffer.alloc(BATCH * NAME_STRIDE);
  readonly #from: readonly SocketAddress[];
  readonly #clock: Clock;
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
      readonly clock: Clock;
      readonly fd?: number | undefined;
    },
    handler: PacketHandler,
  ) {
    const { koffi, calls } = socketCalls();
    this.#calls = calls;
    this.#handler = handler;
    this.#clock = options.clock;
    const name = writeSocketAddress(options.address, options.port);
    this.#fd = options.fd === undefined ? bind(calls, options.address, options.port) : duplicate(options.fd);
    setBuffer(calls, this.#fd, SO_RCVBUFFORCE, SO_RCVBUF, options.bufferOctets);
    setBuffer(calls, this.#fd, SO_SNDBUFFORCE, SO_SNDBUF, options.bufferOctets);
    calls.getsockname(this.#fd, name, int(name.length));
    this.port = readSocketAddress(name).port;
    // A reply goes to where its packet came from: what was received and what is sent share their names.
    const names = Buffer.alloc(BATCH * NAME_STRIDE);
    this.#received = new MessageBatch(koffi, names, name.length);
    this.#sent = new MessageBatch(koffi, names, name.length);
    this.#late = new MessageBatch(koffi, this.#lateNames, name.length);
    this.#from = Array.from(
      { length: BATCH },
      (_, i) => new SocketAddress(names.subarray(i * NAME_STRIDE, i * NAME_STRIDE + SOCKADDR_OCTETS)),
    );
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
    this.#lateNames.set(to.bytes);
    this.#late.buffers[0]?.set(reply);
    this.#late.setLength(0, reply.length);
    if (this.#calls.sendmmsg(this.#fd, this.#late.headers, 1, MSG_DONTWAIT) !== 1) this.unsent++;
  }

  #onReadable(): void {
    // A bounded number of batches, so that one busy socket does not keep the loop from all else.
    for (let round = 0; round < 4; round++) {
      const count = this.#calls.recvmmsg(this.#fd, this.#received.headers, BATCH, MSG_DONTWAIT, null);
      // An error on the socket ends the event loop's polling, and reading takes the error away: poll again.
      if (round === 0 && count <= 0) this.#poll.start({ readable: true }, () => this.#onReadable());
      const now = this.#clock.monotonic();
      // Replies that stand together go out together: nearly always all of them.
      let first = 0;
      for (let i = 0; i < count; i++) {
        const octets = this.#handle(i, now);
        if (octets > 0) {
          this.#sent.setLength(i, octets);
          continue;
        }
        this.#flush(first, i);
        first = i + 1;
      }
      this.#flush(first, count);
      // After a handful there is often more by now, and asking costs less than the event loop's next turn.
      if (count < EAGER) return;
    }
  }

  /** The length of the reply to a packet of the batch; 0: none. */
  #handle(i: number, now: number): number {
    const { words, buffers } = this.#received;
    const from = this.#from[i];
    const packet = buffers[i];
    const out = this.#sent.buffers[i];
    if (from === undefined || packet === undefined || out === undefined) return 0;
    const header = i * HEADER_WORDS;
    if (((words[header + FLAGS_WORD] ?? 0) & MSG_TRUNC) !== 0) return 0;
    return this.#handler(packet, words[header + LENGTH_WORD] ?? 0, from, out, now);
  }

  #flush(first: number, end: number): void {
    const { headers } = this.#sent;
    for (let at = first; at < end; ) {
      const rest = at === 0 ? headers : headers.subarray(at * MMSGHDR);
      const taken = this.#calls.sendmmsg(this.#fd, rest, end - at, MSG_DONTWAIT);
      // What the kernel refuses (a full buffer, an unreachable client) is lost, as UDP may be: pass over it.
      if (taken <= 0) this.unsent++;
      at += Math.max(1, taken);
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
