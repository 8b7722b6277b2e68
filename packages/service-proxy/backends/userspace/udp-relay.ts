import { beginConnection, FAILED, PeerAddress, receive, receiveFrom, transmit, transmitTo } from '#kernel';
import { type EndpointChoice, isSame } from './endpoint-choice.ts';
import type { Flow, FlowLimit } from './flow-limit.ts';
import type { FrontendRelay } from './frontend-relay.ts';
import { decodeEndpoints, type RelayEndpoint, type RelayedFrontend } from './relay-messages.ts';
import type { RelaySockets } from './tcp-connection.ts';

/** No packet is longer. */
const PACKET = Buffer.alloc(2 ** 16);
/** Who sent the last one. */
const PEER = new PeerAddress();
/** Packets of one socket before others have their turn. */
const PACKETS_A_TURN = 64;

/** Takes packets and carries them to an endpoint by a socket of each client's own, whose answers go back to it. */
export class UdpRelay implements FrontendRelay {
  readonly #fd: number;
  readonly #sockets: RelaySockets;
  readonly #limit: FlowLimit;
  readonly #choice: EndpointChoice;
  readonly #watch: number;
  /** By the client's address and port. */
  readonly #flows = new Map<string, UdpFlow>();

  /** @param fd is bound; the relay closes it */
  constructor(fd: number, sockets: RelaySockets, limit: FlowLimit, choice: EndpointChoice) {
    this.#fd = fd;
    this.#sockets = sockets;
    this.#limit = limit;
    this.#choice = choice;
    this.#watch = sockets.poller.watch(fd, 'readable', () => this.#receive());
  }

  update(frontend: RelayedFrontend): void {
    this.#choice.frontend = frontend;
    if (this.#flows.size === 0) return;
    const serving = decodeEndpoints(frontend.serving);
    for (const flow of this.#flows.values())
      if (!serving.some((endpoint) => isSame(endpoint, flow.endpoint))) flow.end();
  }

  /** The answers of flows leave by the same socket: they end. */
  close(): void {
    for (const flow of this.#flows.values()) flow.end();
    this.#sockets.poller.forget(this.#watch);
    this.#sockets.descriptors.close(this.#fd);
  }

  #receive(): void {
    for (let turn = 0; turn < PACKETS_A_TURN; turn++) {
      const octets = receiveFrom(this.#fd, PACKET, PEER);
      if (octets < 0) return;
      const { key } = PEER;
      // What a flow does not take, its endpoint having refused an earlier packet, may fare better with another.
      if (this.#flows.get(key)?.send(octets) !== true) this.#begin(key)?.send(octets);
    }
  }

  /** undefined when there is no endpoint for the source, or no socket for it: the packet is lost, the next may fare better. */
  #begin(key: string): UdpFlow | undefined {
    const source = PEER.address;
    const [endpoint] = this.#choice.candidates(source);
    if (endpoint === undefined) return undefined;
    const fd = beginConnection(this.#sockets.netns, 'udp', endpoint.address, endpoint.port);
    if (fd < 0) return undefined;
    const client = PEER.copy();
    const flow = new UdpFlow(fd, endpoint, this.#sockets, {
      packet: (of) => this.#limit.touch(of),
      answer: (octets) => void transmitTo(this.#fd, PACKET, octets, client),
      ended: (of) => {
        this.#limit.forget(of);
        this.#flows.delete(key);
      },
    });
    this.#choice.taken(source, endpoint);
    this.#flows.set(key, flow);
    return flow;
  }
}

interface FlowEvents {
  /** It is in use. */
  readonly packet: (flow: UdpFlow) => void;
  /** The first octets of the packet buffer are for the client. */
  readonly answer: (octets: number) => void;
  readonly ended: (flow: UdpFlow) => void;
}

/** One client's packets to one endpoint, and back. */
class UdpFlow implements Flow {
  readonly endpoint: RelayEndpoint;
  readonly #fd: number;
  readonly #sockets: RelaySockets;
  readonly #events: FlowEvents;
  readonly #watch: number;
  #ended = false;

  /** @param fd is connected to the endpoint; the flow closes it */
  constructor(fd: number, endpoint: RelayEndpoint, sockets: RelaySockets, events: FlowEvents) {
    this.endpoint = endpoint;
    this.#sockets = sockets;
    this.#events = events;
    this.#fd = fd;
    sockets.descriptors.add(this.#fd);
    this.#watch = sockets.poller.watch(this.#fd, 'readable', () => this.#receive());
  }

  /** Sends the first octets of the packet buffer. @returns false: the flow has ended */
  send(octets: number): boolean {
    this.#events.packet(this);
    if (transmit(this.#fd, PACKET, octets) === FAILED) this.end();
    return !this.#ended;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#sockets.poller.forget(this.#watch);
    this.#sockets.descriptors.close(this.#fd);
    this.#events.ended(this);
  }

  #receive(): void {
    for (let turn = 0; turn < PACKETS_A_TURN; turn++) {
      const octets = receive(this.#fd, PACKET);
      // The endpoint has refused a packet: the client's next one may find another.
      if (octets === FAILED) this.end();
      if (octets < 0) return;
      this.#events.packet(this);
      this.#events.answer(octets);
    }
  }
}
