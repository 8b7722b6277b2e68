import type { ListenAddress } from '#ip';
import type { Clock } from '#runtime';
import { BatchSocket } from './batch-socket.ts';
import type { InheritedSocket } from './inherited-sockets.ts';
import type { Responder } from './responder.ts';

/** Bursts arrive faster than a turn of the event loop, and questions come while an agent restarts: what the kernel may hold, in octets. */
const BUFFER_OCTETS = 4 * 1024 * 1024;

/** DNS over UDP on one address. */
export class UdpListener implements Disposable {
  readonly #socket: BatchSocket;

  /** @throws BatchSocketError when the address cannot be bound */
  constructor(listen: ListenAddress, responder: Responder, clock: Clock, inherited?: InheritedSocket) {
    const socket = new BatchSocket(
      {
        address: listen.address,
        port: listen.port,
        bufferOctets: BUFFER_OCTETS,
        clock,
        fd: inherited?.fd,
      },
      (packet, length, from, out, now) => {
        const reply = responder.respond(packet, length, from, 'udp', out, now);
        if (typeof reply === 'number') return reply;
        const to = from.keep();
        void reply.then((late) => socket.send(late, to));
        return 0;
      },
    );
    this.#socket = socket;
  }

  get port(): number {
    return this.#socket.port;
  }

  /** Replies the kernel did not take. */
  get unsent(): number {
    return this.#socket.unsent;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
