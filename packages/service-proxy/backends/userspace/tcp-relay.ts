import { acceptConnection, FAILED, NO_ROOM, NOT_NOW, PeerAddress } from '#kernel';
import type { EndpointChoice } from './endpoint-choice.ts';
import type { FrontendRelay } from './frontend-relay.ts';
import type { OpenConnections } from './open-connections.ts';
import type { RelayedFrontend } from './relay-messages.ts';
import { NO_ROOM_MS, type RelaySockets, TcpConnection } from './tcp-connection.ts';

/** Taken before other sockets have their turn. */
const ACCEPTS_A_TURN = 64;
/** Who the last connection came from. */
const PEER = new PeerAddress();

/** Accepts connections and has each carried to an endpoint. */
export class TcpRelay implements FrontendRelay {
  readonly #fd: number;
  readonly #sockets: RelaySockets;
  readonly #connections: OpenConnections;
  readonly #choice: EndpointChoice;
  #watch: number;
  #pause: Disposable | undefined;

  /** @param fd listens; the relay closes it */
  constructor(fd: number, sockets: RelaySockets, connections: OpenConnections, choice: EndpointChoice) {
    this.#fd = fd;
    this.#sockets = sockets;
    this.#connections = connections;
    this.#choice = choice;
    this.#watch = this.#listen();
  }

  /** Connections stay where they are. */
  update(frontend: RelayedFrontend): void {
    this.#choice.frontend = frontend;
  }

  close(): void {
    this.#pause?.[Symbol.dispose]();
    this.#sockets.poller.forget(this.#watch);
    this.#sockets.descriptors.close(this.#fd);
  }

  #listen(): number {
    return this.#sockets.poller.watch(this.#fd, 'readable', () => this.#accept());
  }

  #accept(): void {
    for (let turn = 0; turn < ACCEPTS_A_TURN; turn++) {
      const client = acceptConnection(this.#fd, PEER);
      if (client === NO_ROOM) this.#waitForRoom();
      if (client === NO_ROOM || client === NOT_NOW) return;
      if (client !== FAILED) this.#carry(client);
    }
  }

  #carry(client: number): void {
    this.#sockets.descriptors.add(client);
    const { address } = this.#choice.frontend;
    const connection = new TcpConnection(client, PEER.address, this.#sockets, this.#choice, () =>
      this.#connections.delete(address, connection),
    );
    this.#connections.add(address, connection);
    connection.connect();
  }

  #waitForRoom(): void {
    const { poller, clock } = this.#sockets;
    poller.unwatch(this.#watch, this.#fd);
    this.#pause = clock.setTimer(NO_ROOM_MS, () => {
      this.#watch = this.#listen();
    });
  }
}
