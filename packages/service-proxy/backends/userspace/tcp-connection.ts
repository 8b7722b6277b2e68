import type { IpAddress } from '#ip';
import {
  beginConnection,
  type NetworkNamespace,
  NO_ROOM,
  type Poller,
  type Readiness,
  setStreamOptions,
} from '#kernel';
import type { Clock } from '#runtime';
import type { DescriptorSet } from './descriptor-set.ts';
import type { EndpointChoice } from './endpoint-choice.ts';
import { Join } from './join.ts';
import type { OpenConnection } from './open-connections.ts';
import type { RelayEndpoint } from './relay-messages.ts';

/** So long one endpoint after the other may take to answer while there is another to try, milliseconds. */
const CONNECT_MS = [250, 500, 1_000] as const;
/** The last one: its kernel may have missed a packet, which ours repeats after a second. */
const LAST_CONNECT_MS = 3_000;
/** Without a free descriptor clients wait, milliseconds. */
export const NO_ROOM_MS = 100;
/** Idle connections are asked for, so that an end that vanished does not hold the other for ever. */
export const KEEP_ALIVE_SECONDS = 60;

export interface RelaySockets {
  readonly netns: NetworkNamespace;
  readonly poller: Poller;
  readonly clock: Clock;
  readonly descriptors: DescriptorSet;
}

/**
 * A client's connection and what is done about it: endpoints are tried one after the other, as nothing of the client's has been passed on
 * yet, then both sides are joined; when no endpoint answers the client is reset.
 */
export class TcpConnection implements OpenConnection {
  readonly #client: number;
  readonly #source: IpAddress;
  readonly #sockets: RelaySockets;
  readonly #choice: EndpointChoice;
  readonly #ended: () => void;
  readonly #candidates: readonly RelayEndpoint[];
  #tried = 0;
  /** The connection to an endpoint that has not come about. */
  #attempt: { readonly fd: number; readonly watch: number; readonly timer: Disposable } | undefined;
  /** Until there may be a descriptor for an attempt. */
  #pause: Disposable | undefined;
  #join: Join | undefined;

  /** @param client is the connection's to close, after which `ended` is called */
  constructor(
    client: number,
    source: IpAddress,
    sockets: RelaySockets,
    choice: EndpointChoice,
    ended: () => void,
  ) {
    this.#client = client;
    this.#source = source;
    this.#sockets = sockets;
    this.#choice = choice;
    this.#ended = ended;
    this.#candidates = choice.candidates(source);
  }

  /** Tries the next endpoint. */
  connect(): void {
    const { netns, clock } = this.#sockets;
    for (let endpoint = this.#candidates[this.#tried]; endpoint; endpoint = this.#candidates[++this.#tried]) {
      const fd = beginConnection(netns, 'tcp', endpoint.address, endpoint.port);
      if (fd === NO_ROOM) this.#pause = clock.setTimer(NO_ROOM_MS, () => this.connect());
      else if (fd >= 0) this.#await(endpoint, fd);
      else continue;
      return;
    }
    this.reset();
  }

  reset(): void {
    if (this.#join !== undefined) this.#join.reset();
    else {
      this.#pause?.[Symbol.dispose]();
      this.#giveUpAttempt();
      this.#sockets.descriptors.reset(this.#client);
      this.#ended();
    }
  }

  #await(endpoint: RelayEndpoint, fd: number): void {
    const { poller, clock, descriptors } = this.#sockets;
    const isLast = this.#tried === this.#candidates.length - 1;
    const ms = isLast ? LAST_CONNECT_MS : (CONNECT_MS[this.#tried] ?? LAST_CONNECT_MS);
    descriptors.add(fd);
    const watch = poller.watch(fd, 'changes', (ready) => this.#answered(endpoint, ready));
    const timer = clock.setTimer(ms, () => this.#tryAnother());
    this.#attempt = { fd, watch, timer };
  }

  #answered(endpoint: RelayEndpoint, ready: Readiness): void {
    if (this.#attempt === undefined) return;
    if (ready.failed) {
      this.#tryAnother();
      return;
    }
    const { fd, watch, timer } = this.#attempt;
    timer[Symbol.dispose]();
    this.#attempt = undefined;
    setStreamOptions(fd, KEEP_ALIVE_SECONDS);
    this.#choice.taken(this.#source, endpoint);
    this.#join = new Join(this.#client, { fd, watch, ready }, this.#sockets, () => this.#ended());
  }

  #tryAnother(): void {
    this.#giveUpAttempt();
    this.#tried++;
    this.connect();
  }

  #giveUpAttempt(): void {
    if (this.#attempt === undefined) return;
    const { fd, watch, timer } = this.#attempt;
    timer[Symbol.dispose]();
    this.#attempt = undefined;
    this.#sockets.poller.forget(watch);
    this.#sockets.descriptors.reset(fd);
  }
}
