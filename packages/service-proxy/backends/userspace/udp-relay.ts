import { createSocket, type Socket } from 'node:dgram';
import { type IpAddress, type IpFamily, parseIp } from '#ip';
import { bindIn, type NetworkNamespace } from '#kernel';
import type { Endpoint, Frontend } from '../../table/entry.ts';
import { type EndpointChoice, isSame } from './endpoint-choice.ts';
import type { Flow, FlowLimit } from './flow-limit.ts';
import type { Relay } from './relay.ts';

/** So many packets wait while a flow's socket is made. */
const MAX_WAITING = 16;
const ANY: Readonly<Record<IpFamily, IpAddress>> = { IPv4: parseIp('0.0.0.0'), IPv6: parseIp('::') };

/** Takes packets and carries them to an endpoint by a socket of each client's own, whose answers go back to it. */
export class UdpRelay implements Relay {
  readonly fd: number;
  readonly #netns: NetworkNamespace;
  readonly #choice: EndpointChoice;
  readonly #limit: FlowLimit;
  readonly #socket: Socket;
  /** By the client's address and port. */
  readonly #flows = new Map<string, UdpFlow>();

  /** @param fd is bound; the relay closes it */
  constructor(fd: number, netns: NetworkNamespace, limit: FlowLimit, choice: EndpointChoice) {
    this.fd = fd;
    this.#netns = netns;
    this.#choice = choice;
    this.#limit = limit;
    this.#socket = openSocket(choice.frontend.family, fd);
    this.#socket.on('error', () => {}); // an answer that could not be sent is lost, as any packet may be
    this.#socket.on('message', (message, { address, port }) => {
      const key = `${address} ${port}`;
      const flow = this.#flows.get(key) ?? this.#open(key, parseIp(address), port);
      if (flow === undefined) return;
      this.#limit.touch(flow);
      flow.send(message);
    });
  }

  update(frontend: Frontend): void {
    this.#choice.frontend = frontend;
    for (const flow of this.#flows.values())
      if (!frontend.serving.some((endpoint) => isSame(endpoint, flow.endpoint))) flow.end();
  }

  /** The answers of flows leave by the same socket: they end. */
  close(): void {
    for (const flow of this.#flows.values()) flow.end();
    this.#socket.close();
  }

  /** undefined when there is no endpoint for the source, or no socket for it: the packet is lost, the next may fare better. */
  #open(key: string, source: IpAddress, port: number): UdpFlow | undefined {
    const [endpoint] = this.#choice.candidates(source);
    if (endpoint === undefined) return undefined;
    const { family } = this.#choice.frontend;
    let fd: number;
    try {
      fd = bindIn(this.#netns, { protocol: 'udp', address: ANY[family], port: 0 });
    } catch {
      return undefined;
    }
    const flow = new UdpFlow(openSocket(family, fd), endpoint, {
      answer: (message) => {
        this.#limit.touch(flow);
        this.#socket.send(message, port, source);
      },
      ended: () => {
        this.#limit.forget(flow);
        this.#flows.delete(key);
      },
    });
    this.#choice.taken(source, endpoint);
    this.#flows.set(key, flow);
    return flow;
  }
}

interface FlowEvents {
  readonly answer: (message: Buffer) => void;
  readonly ended: () => void;
}

/** One client's packets to one endpoint, and back. */
class UdpFlow implements Flow {
  readonly endpoint: Endpoint;
  readonly #socket: Socket;
  readonly #events: FlowEvents;
  /** Packets that came before the socket was connected; undefined since. */
  #waiting: Buffer[] | undefined = [];
  #ended = false;

  constructor(socket: Socket, endpoint: Endpoint, events: FlowEvents) {
    this.endpoint = endpoint;
    this.#events = events;
    this.#socket = socket;
    // The endpoint has refused a packet: the client's next one may find another.
    this.#socket.on('error', () => this.end());
    this.#socket.on('message', events.answer);
    this.#socket.connect(endpoint.port, endpoint.address, () => {
      for (const message of this.#waiting ?? []) this.#socket.send(message);
      this.#waiting = undefined;
    });
  }

  send(message: Buffer): void {
    if (this.#waiting === undefined) this.#socket.send(message);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(message);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.close();
    this.#events.ended();
  }
}

function openSocket(family: IpFamily, fd: number): Socket {
  const version = family === 'IPv4' ? 4 : 6;
  const socket = createSocket({
    type: `udp${version}`,
    // All that is given are addresses: nothing is looked up.
    lookup: (address, _, callback) => callback(null, address, version),
  });
  socket.bind({ fd });
  return socket;
}
