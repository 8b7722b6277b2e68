import type { IpAddress, IpPrefix } from '#ip';
import { type NetworkNamespace, Poller } from '#kernel';
import type { Clock, Random } from '#runtime';
import { type FrontendKey, keyOf } from '../../table/entry.ts';
import { RouteLookup } from '../route-lookup.ts';
import type { DescriptorSet } from './descriptor-set.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import { FlowLimit } from './flow-limit.ts';
import type { FrontendRelay } from './frontend-relay.ts';
import { OpenConnections } from './open-connections.ts';
import type { RelayChannel, RelayedFrontend, RelayMessage } from './relay-messages.ts';
import { isInside } from './sources.ts';
import type { RelaySockets } from './tcp-connection.ts';
import { TcpRelay } from './tcp-relay.ts';
import { UdpRelay } from './udp-relay.ts';

export interface RelayDeps {
  /** Sockets to endpoints are opened in it. */
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly random: Random;
  readonly descriptors: DescriptorSet;
}

/** Everything between listening sockets and endpoints, on the thread that it is made on; told what to do by messages. */
export class Relay implements RelayChannel {
  readonly #sockets: RelaySockets;
  readonly #random: Random;
  readonly #lookup: RouteLookup;
  readonly #flows: FlowLimit;
  readonly #connections = new OpenConnections();
  readonly #frontends = new Map<FrontendKey, FrontendRelay>();
  #podCIDRs: readonly IpPrefix[] = [];
  readonly #isInside = (source: IpAddress, { family }: RelayedFrontend): boolean =>
    isInside(source, family, { podCIDRs: this.#podCIDRs }, (one) => this.#lookup.isLocal(one));

  constructor({ netns, clock, random, descriptors }: RelayDeps) {
    const poller = new Poller();
    descriptors.add(poller.fd);
    this.#sockets = { netns, clock, descriptors, poller };
    this.#random = random;
    this.#lookup = new RouteLookup(netns.routes);
    this.#flows = new FlowLimit(clock);
  }

  async send(messages: readonly RelayMessage[]): Promise<void> {
    for (const message of messages) this.handle(message);
  }

  handle(message: RelayMessage): void {
    switch (message.kind) {
      case 'facts':
        this.#podCIDRs = message.podCIDRs;
        return;
      case 'listen':
        this.#frontends.set(keyOf(message.frontend), this.#listen(message.fd, message.frontend));
        return;
      case 'update':
        this.#frontends.get(keyOf(message.frontend))?.update(message.frontend);
        return;
      case 'close':
        this.#frontends.get(message.key)?.close();
        this.#frontends.delete(message.key);
        return;
      case 'reset':
        this.#connections.reset(message.address);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { poller, descriptors } = this.#sockets;
    this.#flows[Symbol.dispose]();
    descriptors.delete(poller.fd);
    poller[Symbol.dispose]();
  }

  #listen(fd: number, frontend: RelayedFrontend): FrontendRelay {
    const choice = new EndpointChoice(frontend, this.#sockets.clock, this.#random, this.#isInside);
    return frontend.protocol === 'UDP'
      ? new UdpRelay(fd, this.#sockets, this.#flows, choice)
      : new TcpRelay(fd, this.#sockets, this.#connections, choice);
  }
}
