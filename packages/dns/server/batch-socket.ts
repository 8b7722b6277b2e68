import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import type Koffi from 'koffi';
import { familyOf, type IpAddress, ipFromBytes, ipToBytes } from '#ip';
import { PodwayError } from '#runtime';

/** Messages taken from or given to the kernel in one call. */
const BATCH = 64;
/** No query is longer; what is longer is cut by the kernel and dropped. */
const RECEIVE_OCTETS = 2048;
const SEND_OCTETS = 2048;
/** sockaddr_in6; sockaddr_in is shorter. */
const NAME_OCTETS = 28;

// Layouts of Linux on 64-bit machines: struct mmsghdr is struct msghdr (56) and msg_len; struct iovec is 16.
const MMSGHDR = 64;
const IOVEC = 16;
const MSG_NAMELEN = 8;
const MSG_FLAGS = 48;
const MSG_LEN = 56;

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK_CLOEXEC = 0x80800;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_SNDBUF = 7;
const SOL_IPV6 = 41;
const IPV6_V6ONLY = 26;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  getsockname(fd: number, address: Uint8Array, length: Uint8Array): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
  recvmmsg(fd: number, messages: Uint8Array, count: number, flags: number, timeout: null): number;
  sendmmsg(fd: number, messages: Uint8Array, count: number, flags: number): number;
  close(fd: number): number;
}

let loaded: { readonly koffi: typeof Koffi; readonly calls: Calls } | undefined;

/** Declared at first use: who does not ask for batches does not load koffi. */
function load(): { readonly koffi: typeof Koffi; readonly calls: Calls } {
  if (loaded !== undefined) return loaded;
  if (endianness() !== 'LE') throw new BatchSocketError('open', 'a little-endian machine is needed');
  const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
  const library = koffi.load(null);
  const declare = (definition: string) => library.func(definition) as unknown;
  const calls = {
    socket: declare('int socket(int, int, int)'),
    bind: declare('int bind(int, void *, uint)'),
    getsockname: declare('int getsockname(int, void *, void *)'),
    setsockopt: declare('int setsockopt(int, int, int, void *, uint)'),
    recvmmsg: declare('int recvmmsg(int, void *, uint, int, void *)'),
    sendmmsg: declare('int sendmmsg(int, void *, uint, int)'),
    close: declare('int close(int)'),
  } as Calls;
  loaded = { koffi, calls };
  return loaded;
}

export class BatchSocketError extends PodwayError {
  readonly code = 'DnsSocket';
  readonly errno: string;
  constructor(operation: string, object: string, errno = '') {
    super(`cannot ${operation} ${object}${errno === '' ? '' : `: ${errno}`}`);
    this.errno = errno;
  }
}

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
    return ipFromBytes(
      Uint8Array.from(this.bytes[0] === AF_INET ? this.bytes.subarray(4, 8) : this.bytes.subarray(8, 24)),
    );
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
    const names = Buffer.alloc(BATCH * NAME_OCTETS);
    this.buffers = Array.from({ length: BATCH }, (_, i) => data.subarray(i * octets, (i + 1) * octets));
    this.names = Array.from({ length: BATCH }, (_, i) =>
      names.subarray(i * NAME_OCTETS, (i + 1) * NAME_OCTETS),
    );
    const dataAt = koffi.address(data);
    const namesAt = koffi.address(names);
    const vectorsAt = koffi.address(this.#vectors);
    for (let i = 0; i < BATCH; i++) {
      this.#vectors.writeBigUInt64LE(dataAt + BigInt(i * octets), i * IOVEC);
      this.#vectors.writeBigUInt64LE(BigInt(octets), i * IOVEC + 8);
      const header = i * MMSGHDR;
      this.headers.writeBigUInt64LE(namesAt + BigInt(i * NAME_OCTETS), header);
      this.headers.writeUInt32LE(NAME_OCTETS, header + MSG_NAMELEN);
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
  readonly #calls: Calls;
  readonly #poll: ReturnType<typeof Koffi.node.poll>;
  readonly #received: MessageBatch;
  readonly #sent: MessageBatch;
  readonly #late: MessageBatch;
  readonly #from: readonly SocketAddress[];
  readonly #nameLength: number;
  #closed = false;
  /** Replies the kernel did not take. */
  unsent = 0;

  /** @throws BatchSocketError with the errno's name */
  constructor(
    options: { readonly address: IpAddress; readonly port: number; readonly bufferOctets: number },
    handler: PacketHandler,
  ) {
    const { koffi, calls } = load();
    this.#calls = calls;
    this.#handler = handler;
    const v4 = familyOf(options.address) === 'IPv4';
    const object = `${options.address} port ${options.port}`;
    const errno = () =>
      Object.entries(koffi.os.errno).find(([, value]) => value === koffi.errno())?.[0] ?? `${koffi.errno()}`;
    this.#fd = calls.socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw new BatchSocketError('open a socket for', object, errno());
    const int = (value: number) => Buffer.from(Int32Array.of(value).buffer);
    calls.setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUF, int(options.bufferOctets), 4);
    calls.setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUF, int(options.bufferOctets), 4);
    if (!v4) calls.setsockopt(this.#fd, SOL_IPV6, IPV6_V6ONLY, int(1), 4);
    const name = encodeAddress(options.address, options.port);
    this.#nameLength = name.length;
    if (calls.bind(this.#fd, name, name.length) < 0) {
      const code = errno();
      calls.close(this.#fd);
      throw new BatchSocketError('bind', object, code);
    }
    calls.getsockname(this.#fd, name, int(name.length));
    this.port = name.readUInt16BE(2);
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
        headers.writeUInt32LE(NAME_OCTETS, header + MSG_NAMELEN);
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

function encodeAddress(address: IpAddress, port: number): Buffer {
  const v4 = familyOf(address) === 'IPv4';
  const bytes = Buffer.alloc(v4 ? 16 : 28);
  bytes.writeUInt16LE(v4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(address), v4 ? 4 : 8);
  return bytes;
}
