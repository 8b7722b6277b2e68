import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { ListenAddress } from '#ip';
import { type Clock, otherWork } from '#runtime';
import { clientKey } from './client-limiter.ts';
import type { InheritedSocket } from './inherited-sockets.ts';
import { type Client, type MessageStream, REPLY_OCTETS, type Responder } from './responder.ts';
import { duplicate } from './socket-calls.ts';

export interface TcpLimits {
  /** Connections at one time, in all and from one address. */
  readonly connections: number;
  readonly connectionsPerClient: number;
  /** A connection on which nothing whole arrives for so long is closed. Milliseconds. */
  readonly idleMs: number;
  /** Questions of one connection that wait for their answer at one time. */
  readonly pipelined: number;
  /** No query is longer than this; a longer frame ends the connection. Octets. */
  readonly queryOctets: number;
  /** Replies a client has not read yet, octets, before its questions are left unread. */
  readonly unreadOctets: number;
}

export const TCP_LIMITS: TcpLimits = {
  connections: 512,
  connectionsPerClient: 64,
  idleMs: 10_000,
  pipelined: 64,
  queryOctets: 4096,
  unreadOctets: 256 * 1024,
};

export interface TcpListenerOptions {
  readonly limits?: TcpLimits;
  /** Listens there already; it stays the caller's. */
  readonly inherited?: InheritedSocket | undefined;
}

/** Replies are written here and copied to their frame at once. */
const scratch = Buffer.alloc(REPLY_OCTETS);

/** DNS over TCP on one address: RFC 7766, with pipelining, answers in the order they are ready. */
export class TcpListener implements AsyncDisposable {
  readonly #server: Server;
  readonly #responder: Responder;
  readonly #clock: Clock;
  readonly #limits: TcpLimits;
  readonly #sockets = new Set<Socket>();
  readonly #perClient = new Map<string, number>();

  private constructor(responder: Responder, clock: Clock, limits: TcpLimits) {
    this.#responder = responder;
    this.#clock = clock;
    this.#limits = limits;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** @throws the system's error when the address cannot be bound */
  static async open(
    listen: ListenAddress,
    responder: Responder,
    clock: Clock,
    { limits = TCP_LIMITS, inherited }: TcpListenerOptions = {},
  ): Promise<TcpListener> {
    const listener = new TcpListener(responder, clock, limits);
    listener.#server.listen(
      inherited === undefined
        ? { host: listen.address, port: listen.port, ipv6Only: true }
        : { fd: duplicate(inherited.fd) },
    );
    await once(listener.#server, 'listening');
    listener.#server.on('error', () => {});
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const client = socket.remoteAddress;
    const open = this.#perClient.get(client ?? '') ?? 0;
    if (
      client === undefined ||
      this.#sockets.size >= this.#limits.connections ||
      open >= this.#limits.connectionsPerClient
    ) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    this.#perClient.set(client, open + 1);
    const connection = new Connection(socket, client, this.#responder, this.#clock, this.#limits);
    socket.on('close', () => {
      connection[Symbol.dispose]();
      this.#sockets.delete(socket);
      const left = (this.#perClient.get(client) ?? 1) - 1;
      if (left > 0) this.#perClient.set(client, left);
      else this.#perClient.delete(client);
    });
  }
}

/** One client's connection: frames in, frames out, and the limits on both. */
class Connection implements Disposable {
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #responder: Responder;
  readonly #clock: Clock;
  readonly #limits: TcpLimits;
  #buffer: Buffer = Buffer.alloc(0);
  #waiting = 0;
  /** While a reply of many messages goes out; aborted when the connection closes. */
  #streaming: AbortController | undefined;
  #ended = false;
  #idle: Disposable | undefined;

  constructor(socket: Socket, client: string, responder: Responder, clock: Clock, limits: TcpLimits) {
    this.#socket = socket;
    this.#client = { key: clientKey(client), address: client };
    this.#responder = responder;
    this.#clock = clock;
    this.#limits = limits;
    this.#restartIdle();
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('drain', () => this.#proceed());
    socket.on('end', () => this.#finish());
    socket.on('error', () => socket.destroy());
  }

  [Symbol.dispose](): void {
    this.#idle?.[Symbol.dispose]();
    this.#streaming?.abort();
  }

  #restartIdle(): void {
    this.#idle?.[Symbol.dispose]();
    this.#idle = this.#clock.setTimer(this.#limits.idleMs, () => this.#socket.destroy(), { unref: true });
  }

  #receive(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    this.#proceed();
  }

  /** Answers the whole frames that are here, as far as the limits let it; the rest waits, and then so does the client. */
  #proceed(): void {
    while (!this.#socket.destroyed && !this.#isBusy() && this.#buffer.length >= 2) {
      const length = this.#buffer.readUInt16BE(0);
      if (length > this.#limits.queryOctets) {
        this.#socket.destroy();
        return;
      }
      if (this.#buffer.length < length + 2) break;
      const packet = this.#buffer.subarray(2, length + 2);
      this.#buffer = this.#buffer.subarray(length + 2);
      this.#restartIdle();
      this.#answer(packet);
    }
    if (this.#isBusy()) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #isBusy(): boolean {
    return (
      this.#streaming !== undefined ||
      this.#waiting >= this.#limits.pipelined ||
      this.#socket.writableLength > this.#limits.unreadOctets
    );
  }

  #answer(packet: Buffer): void {
    const reply = this.#responder.respond(
      packet,
      packet.length,
      this.#client,
      'tcp',
      scratch,
      this.#clock.monotonic(),
    );
    if (reply instanceof Promise) {
      this.#waiting++;
      void reply.then((late) => {
        this.#waiting--;
        this.#send(late);
        this.#proceed();
        if (this.#ended) this.#finish();
      });
      // Over TCP, what gets no reply is no DNS client, or too eager a one.
    } else if (reply === 0) this.#socket.destroy();
    else if (typeof reply === 'number') this.#send(scratch.subarray(0, reply));
    else void this.#stream(reply);
  }

  /** One message a turn of the event loop, and none while the client leaves unread what the socket holds. Then the next question. */
  async #stream(messages: MessageStream): Promise<void> {
    this.#streaming = new AbortController();
    const { signal } = this.#streaming;
    try {
      for (const message of messages) {
        if (this.#send(message)) await otherWork();
        else await once(this.#socket, 'drain', { signal });
        signal.throwIfAborted();
        // A client that reads is not idle.
        this.#restartIdle();
      }
    } catch {
      // The connection is gone, or half a reply was sent: no reader takes it for a whole one.
      this.#socket.destroy();
      return;
    }
    this.#streaming = undefined;
    this.#proceed();
    if (this.#ended) this.#finish();
  }

  /** Whether more may be sent at once. */
  #send(reply: Uint8Array): boolean {
    if (this.#socket.destroyed || !this.#socket.writable) return false;
    const frame = Buffer.allocUnsafe(reply.length + 2);
    frame.writeUInt16BE(reply.length, 0);
    frame.set(reply, 2);
    return this.#socket.write(frame);
  }

  #finish(): void {
    this.#ended = true;
    if (this.#waiting === 0 && this.#streaming === undefined) this.#socket.end();
  }
}
