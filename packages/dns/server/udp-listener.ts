import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Logger } from '#runtime';
import { errorMessage } from '#runtime';
import type { Responder } from './responder.ts';

export interface ListenAddress {
  readonly address: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

/** Bursts arrive faster than a turn of the event loop: what the kernel may hold meanwhile, in octets. */
const RECEIVE_BUFFER = 4 * 1024 * 1024;

/** DNS over UDP on one address. */
export class UdpListener implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #responder: Responder;
  readonly #logger: Logger;

  private constructor(socket: Socket, responder: Responder, logger: Logger) {
    this.#socket = socket;
    this.#responder = responder;
    this.#logger = logger;
  }

  /** @throws the system's error when the address cannot be bound */
  static async open(listen: ListenAddress, responder: Responder, logger: Logger): Promise<UdpListener> {
    const socket = createSocket({
      type: listen.address.includes(':') ? 'udp6' : 'udp4',
      ipv6Only: listen.address.includes(':'),
      recvBufferSize: RECEIVE_BUFFER,
      // Replies go to addresses: never ask the system's resolver, which may be this server.
      lookup: (host, _options, callback) => callback(null, host, host.includes(':') ? 6 : 4),
    });
    const listener = new UdpListener(socket, responder, logger);
    const listening = once(socket, 'listening');
    socket.bind(listen.port, listen.address);
    try {
      await listening;
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on('message', (packet, from) => listener.#receive(packet, from));
    // An ICMP error for an earlier reply, say: the client has gone.
    socket.on('error', (error) => logger.debug('dns: UDP socket error', { error: errorMessage(error) }));
    return listener;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #receive(packet: Buffer, from: { readonly address: string; readonly port: number }): void {
    const reply = this.#responder.respond(packet, { address: from.address, transport: 'udp' });
    if (reply === undefined) return;
    if (reply instanceof Promise) void reply.then((late) => this.#send(late, from));
    else this.#send(reply, from);
  }

  #send(reply: Uint8Array, to: { readonly address: string; readonly port: number }): void {
    try {
      this.#socket.send(reply, to.port, to.address);
    } catch (error) {
      this.#logger.debug('dns: reply not sent', { error: errorMessage(error) });
    }
  }
}
