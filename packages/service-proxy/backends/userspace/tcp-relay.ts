import { createServer, type Server, type Socket } from 'node:net';
import { parseIp } from '#ip';
import { connectIn, type NetworkNamespace } from '#kernel';
import type { Clock } from '#runtime';
import type { Frontend } from '../../table/entry.ts';
import type { EndpointChoice } from './endpoint-choice.ts';
import { join } from './join.ts';
import type { OpenConnections } from './open-connections.ts';
import type { Relay } from './relay.ts';

/** So long one endpoint may take to answer before the next is tried. */
const CONNECT_MS = 1_000;

/** Accepts connections and carries each to an endpoint. */
export class TcpRelay implements Relay {
  readonly fd: number;
  readonly #netns: NetworkNamespace;
  readonly #clock: Clock;
  readonly #choice: EndpointChoice;
  readonly #server: Server;

  /** @param fd listens; the relay closes it */
  constructor(
    fd: number,
    netns: NetworkNamespace,
    clock: Clock,
    connections: OpenConnections,
    choice: EndpointChoice,
  ) {
    this.fd = fd;
    this.#netns = netns;
    this.#clock = clock;
    this.#choice = choice;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      connections.add(choice.frontend.address, client);
      client.on('error', () => {}); // 'close' follows
      void this.#carry(client);
    });
    this.#server.on('error', () => {}); // one that could not be accepted, for want of descriptors
    this.#server.listen({ fd });
  }

  /** Connections stay where they are. */
  update(frontend: Frontend): void {
    this.#choice.frontend = frontend;
  }

  close(): void {
    this.#server.close();
  }

  async #carry(client: Socket): Promise<void> {
    const endpoint = await this.#connect(client);
    if (endpoint === undefined || client.destroyed) {
      endpoint?.destroy();
      client.resetAndDestroy();
      return;
    }
    join(client, endpoint);
  }

  /** Nothing of the client's has been passed on yet, so an endpoint that does not answer may be left for another. */
  async #connect(client: Socket): Promise<Socket | undefined> {
    const { remoteAddress } = client;
    if (remoteAddress === undefined) return undefined;
    const source = parseIp(remoteAddress);
    for (const endpoint of this.#choice.candidates(source)) {
      const abort = new AbortController();
      using _ = this.#clock.setTimer(CONNECT_MS, () => abort.abort());
      const options = { signal: abort.signal, allowHalfOpen: true };
      const connected = await connectIn(this.#netns, endpoint.address, endpoint.port, options).catch(
        () => undefined,
      );
      if (connected !== undefined) {
        this.#choice.taken(source, endpoint);
        return connected;
      }
      if (client.destroyed) return undefined;
    }
    return undefined;
  }
}
