import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Clock, errorMessage } from '#runtime';
import type { Message } from '../wire/index.ts';
import { formatUpstream, type UpstreamAddress } from './address.ts';
import { UpstreamError } from './errors.ts';
import { tryDecode } from './udp-exchange.ts';

interface Waiting {
  readonly resolve: (reply: Message) => void;
  readonly reject: (error: UpstreamError) => void;
}

export interface StreamOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** An idle connection is closed after this. Milliseconds. */
  readonly idleMs: number;
  /** Trusted instead of the system's authorities: PEM. */
  readonly ca?: string;
}

/**
 * Queries over TCP (RFC 7766) or TLS (RFC 7858) to one upstream: one connection, opened when needed, many queries on it
 * at once, closed when idle.
 */
export class StreamExchange implements Disposable {
  readonly #upstream: UpstreamAddress;
  readonly #options: StreamOptions;
  readonly #name: string;
  readonly #waiting = new Map<number, Waiting>();
  #disposed = false;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #idle: Disposable | undefined;

  constructor(upstream: UpstreamAddress, options: StreamOptions) {
    this.#upstream = upstream;
    this.#options = options;
    this.#name = formatUpstream(upstream);
  }

  /** `id` is that of `query`, and no other query's that is under way. @throws UpstreamError */
  exchange(id: number, query: Uint8Array): Promise<Message> {
    if (this.#disposed) return Promise.reject(new UpstreamError(this.#name, 'closed', 'stopped'));
    if (this.#waiting.has(id))
      return Promise.reject(new UpstreamError(this.#name, 'closed', `query id ${id} is taken`));
    const { clock, timeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const timer = clock.setTimer(timeoutMs, () =>
      reject(new UpstreamError(this.#name, 'timeout', `no reply within ${timeoutMs} ms`)),
    );
    this.#waiting.set(id, { resolve, reject });
    const frame = Buffer.alloc(query.length + 2);
    frame.writeUInt16BE(query.length, 0);
    frame.set(query, 2);
    this.#open().write(frame);
    return promise.finally(() => {
      timer[Symbol.dispose]();
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#startIdle();
    });
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#idle?.[Symbol.dispose]();
    this.#socket?.destroy();
  }

  #open(): Socket {
    this.#idle?.[Symbol.dispose]();
    if (this.#socket !== undefined && !this.#socket.destroyed && this.#socket.writable) return this.#socket;
    const socket = this.#connect();
    this.#socket = socket;
    this.#received = Buffer.alloc(0);
    let reason = 'the connection was closed';
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      reason = errorMessage(error);
    });
    socket.on('data', (chunk) => {
      if (this.#socket === socket) this.#receive(chunk);
    });
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#failAll(new UpstreamError(this.#name, 'closed', reason));
    });
    return socket;
  }

  #connect(): Socket {
    const { transport, address, port, serverName } = this.#upstream;
    if (transport !== 'tls') return connectTcp({ host: address, port });
    return connectTls({
      host: address,
      port,
      ALPNProtocols: ['dot'],
      ...(serverName !== undefined && isIP(serverName) === 0 && { servername: serverName }),
      ...(this.#options.ca !== undefined && { ca: this.#options.ca }),
    });
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    while (this.#received.length >= 2) {
      const end = this.#received.readUInt16BE(0) + 2;
      if (this.#received.length < end) return;
      const reply = tryDecode(this.#received.subarray(2, end));
      this.#received = this.#received.subarray(end);
      if (reply === undefined) {
        this.#failAll(new UpstreamError(this.#name, 'malformed', 'what came is no DNS message'));
        this.#socket?.destroy();
        return;
      }
      this.#waiting.get(reply.id)?.resolve(reply);
    }
  }

  #failAll(error: UpstreamError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }

  #startIdle(): void {
    this.#idle?.[Symbol.dispose]();
    this.#idle = this.#options.clock.setTimer(
      this.#options.idleMs,
      () => {
        this.#socket?.destroy();
      },
      { unref: true },
    );
  }
}
