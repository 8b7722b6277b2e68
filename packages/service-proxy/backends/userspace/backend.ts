import { bindIn, type ConntrackEntry, filterSources, type NetworkNamespace } from '#kernel';
import {
  type Clock,
  errorMessage,
  InvalidInputError,
  type Logger,
  type Random,
  sleep,
  systemRandom,
} from '#runtime';
import type { ApplyReport, BackendObservation, ProxyBackend } from '../../backend.ts';
import { FLOW_PROTOCOLS } from '../../conntrack/stale-flows.ts';
import { type Frontend, type FrontendKey, frontendKey, keyOf } from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { RouteLookup } from '../route-lookup.ts';
import { EndpointChoice } from './endpoint-choice.ts';
import { FlowLimit } from './flow-limit.ts';
import { OpenConnections } from './open-connections.ts';
import { probeRelay } from './probe.ts';
import type { Relay } from './relay.ts';
import { ServiceRoutes } from './service-routes.ts';
import { isInside, sourceTests } from './sources.ts';
import { TcpRelay } from './tcp-relay.ts';
import { UdpRelay } from './udp-relay.ts';

export interface UserspaceDeps {
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: Random;
}

const NO_FILTER = '[]';
/** A filter that no packet passes. */
const NOBODY = [{ prefixes: [], fromHost: false }];
/** What a request that is under way has when the process ends, milliseconds; as long new clients wait for the next process. */
const FINISH_MS = 200;

/** One frontend as it is carried. */
interface Carried {
  readonly frontend: Frontend;
  /** undefined: nobody listens, so the kernel refuses; or nobody could (see {@link UserspaceBackend.#broken}). */
  readonly relay: Relay | undefined;
  /** Text of the filter that the relay's socket has. */
  readonly filter: string;
}

/** Services by sockets on their addresses, and this process between both ends: see README.md. */
export class UserspaceBackend implements ProxyBackend {
  readonly name = 'userspace';
  readonly #netns: NetworkNamespace;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #routes: ServiceRoutes;
  readonly #lookup: RouteLookup;
  readonly #flows: FlowLimit;
  readonly #connections = new OpenConnections();
  #facts: NodeFacts | undefined;
  readonly #carried = new Map<FrontendKey, Carried>();
  /** Frontends of each Service. */
  readonly #services = new Map<string, readonly FrontendKey[]>();
  /** Frontends that nobody could listen on, and why: tried again at each check. */
  readonly #broken = new Map<FrontendKey, string>();
  /** Everything is to be compared. */
  #full = true;

  constructor({ netns, clock, logger, random = systemRandom }: UserspaceDeps) {
    this.#netns = netns;
    this.#clock = clock;
    this.#logger = logger;
    this.#random = random;
    this.#routes = new ServiceRoutes(netns);
    this.#lookup = new RouteLookup(netns.routes);
    this.#flows = new FlowLimit(clock);
  }

  async probe(): Promise<readonly string[]> {
    return probeRelay(this.#netns);
  }

  /** Sockets end with the process that has them, so nobody answers when another life is over. */
  async observe(): Promise<BackendObservation> {
    this.#routes.observe();
    this.#full = true;
    return { frontends: new Set(this.#carried.keys()) };
  }

  async apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport> {
    // Filters name the Pods' addresses.
    const full = this.#full || String(this.#facts?.podCIDRs) !== String(table.facts.podCIDRs);
    this.#full = true; // should this fail
    this.#facts = table.facts;
    this.#routes.setRanges(table.facts.serviceCIDRs);
    const released = new Map(full ? this.#carried : []);
    if (full) this.#services.clear();
    const wanted: Frontend[] = [];
    for (const service of full ? table.services.keys() : new Set(changed)) {
      for (const key of this.#services.get(service) ?? []) {
        const carried = this.#carried.get(key);
        if (carried !== undefined) released.set(key, carried);
      }
      const frontends = (table.services.get(service)?.frontends ?? []).filter(({ elsewhere }) => !elsewhere);
      wanted.push(...frontends);
      if (frontends.length === 0) this.#services.delete(service);
      else this.#services.set(service, frontends.map(keyOf));
    }
    let writes = 0;
    for (const frontend of wanted) {
      const key = keyOf(frontend);
      const before = released.get(key);
      released.delete(key);
      const held = before !== undefined && isHeld(before.frontend);
      if (isHeld(frontend) && !held) this.#routes.hold(frontend.address);
      if (held && !isHeld(frontend)) this.#routes.release(frontend.address);
      writes += this.#carry(frontend, before);
    }
    for (const [key, carried] of released) writes += this.#release(key, carried);
    writes += this.#routes.sync();
    this.#full = false;
    return { writes };
  }

  async intact(): Promise<boolean> {
    for (const key of this.#broken.keys()) {
      const carried = this.#carried.get(key);
      if (carried !== undefined) this.#carry(carried.frontend, carried);
    }
    return this.#routes.matches();
  }

  /** Whether a flow ends here: then no translation is missing, and its end is ours. */
  ownsFlow({ original, reply }: ConntrackEntry): boolean {
    const protocol = FLOW_PROTOCOLS.get(original.protocol);
    return (
      protocol !== undefined &&
      original.destinationPort !== undefined &&
      reply.source === original.destination &&
      reply.sourcePort === original.destinationPort &&
      this.#carried.get(frontendKey(original.destination, protocol, original.destinationPort))?.relay !==
        undefined
    );
  }

  async cleanup(): Promise<void> {
    this.#endRelays();
    this.#routes.remove();
  }

  /** Connections were relayed by the process before this one and ended with it. */
  async retire(): Promise<boolean> {
    await this.cleanup();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#finishRequests();
    this.#connections.resetAll(); // while the address is there, which resets need as much as answers do
    this.#routes.suspend();
    this.#endRelays(); // when it is gone, so that nobody is refused
    this.#routes[Symbol.dispose]();
    this.#flows[Symbol.dispose]();
  }

  /** New clients hear nothing any more, and try again; those whose requests are under way have a moment for them. */
  async #finishRequests(): Promise<void> {
    let isOpen = false;
    for (const { frontend, relay } of this.#carried.values()) {
      if (relay === undefined || frontend.protocol !== 'TCP') continue;
      filterSources(relay.fd, frontend.family, NOBODY);
      isOpen = true;
    }
    if (isOpen) await sleep(this.#clock, FINISH_MS);
  }

  /** Makes the frontend's socket what it should be. @returns how many changes that took */
  #carry(frontend: Frontend, before: Carried | undefined): number {
    const key = keyOf(frontend);
    let relay = before?.relay;
    let filter = before?.filter ?? NO_FILTER;
    let writes = 0;
    const stop = () => {
      if (relay === undefined) return;
      relay.close();
      relay = undefined;
      filter = NO_FILTER;
      writes++;
    };
    try {
      if (isRefused(frontend)) stop();
      else {
        if (relay === undefined) {
          relay = this.#listen(frontend);
          writes++;
        } else relay.update(frontend);
        const tests = sourceTests(frontend, this.#factsInForce);
        if (JSON.stringify(tests) !== filter) {
          filterSources(relay.fd, frontend.family, tests);
          filter = JSON.stringify(tests);
          writes++;
        }
      }
      this.#broken.delete(key);
    } catch (error) {
      stop();
      this.#reportBroken(key, errorMessage(error));
    }
    this.#carried.set(key, { frontend, relay, filter });
    return writes;
  }

  #release(key: FrontendKey, { frontend, relay }: Carried): number {
    this.#carried.delete(key);
    this.#broken.delete(key);
    relay?.close();
    // Without the address, what still goes through it cannot go on: both ends had better know.
    if (isHeld(frontend) && this.#routes.release(frontend.address)) this.#connections.reset(frontend.address);
    return relay === undefined ? 0 : 1;
  }

  #listen(frontend: Frontend): Relay {
    const { address, port, protocol } = frontend;
    if (protocol === 'SCTP')
      throw new InvalidInputError('protocol', protocol, 'only TCP and UDP are relayed');
    const udp = protocol === 'UDP';
    const fd = bindIn(this.#netns, { protocol: udp ? 'udp' : 'tcp', address, port, freeBind: true });
    const choice = new EndpointChoice(frontend, this.#clock, this.#random, (source) =>
      isInside(source, frontend.family, this.#factsInForce, (one) => this.#lookup.isLocal(one)),
    );
    return udp
      ? new UdpRelay(fd, this.#netns, this.#flows, choice)
      : new TcpRelay(fd, this.#netns, this.#clock, this.#connections, choice);
  }

  get #factsInForce(): Pick<NodeFacts, 'podCIDRs'> {
    return this.#facts ?? { podCIDRs: [] };
  }

  #reportBroken(key: FrontendKey, reason: string): void {
    if (this.#broken.get(key) === reason) return;
    this.#broken.set(key, reason);
    this.#logger.warn('a Service’s address cannot be listened on', { place: key, error: reason });
  }

  #endRelays(): void {
    this.#connections.resetAll();
    for (const { relay } of this.#carried.values()) relay?.close();
    this.#carried.clear();
    this.#services.clear();
    this.#broken.clear();
    this.#full = true;
  }
}

/** Node ports are on addresses that are the node's anyway. */
function isHeld({ kind }: Frontend): boolean {
  return kind !== 'NodePort';
}

/** No endpoint for anybody: with no socket on the port, the kernel says so at once. */
function isRefused({ target, outside }: Frontend): boolean {
  return target.kind === 'reject' && (outside === undefined || outside.kind === 'reject');
}
