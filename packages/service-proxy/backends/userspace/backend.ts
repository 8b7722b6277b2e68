import {
  bindIn,
  type ConntrackEntry,
  closeDescriptor,
  filterSources,
  type NetworkNamespace,
  setStreamOptions,
} from '#kernel';
import { type Clock, errorMessage, InvalidInputError, type Logger, otherWork, sleep } from '#runtime';
import type { ApplyReport, BackendFigure, BackendObservation, ProxyBackend } from '../../backend.ts';
import { addressedPlace, isTranslated } from '../../conntrack/flow.ts';
import { FLOW_PROTOCOLS } from '../../conntrack/stale-flows.ts';
import { type Frontend, type FrontendKey, keyOf } from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { frontendDescriptors } from './descriptor-limit.ts';
import { DescriptorSet } from './descriptor-set.ts';
import { probeRelay } from './probe.ts';
import { type RelayChannel, type RelayMessage, relayed } from './relay-messages.ts';
import { RelayThread, type RelayThreadDeps } from './relay-thread.ts';
import { ServiceRoutes } from './service-routes.ts';
import { forgetSilencedClients } from './silenced-clients.ts';
import { sourceTests } from './sources.ts';
import { KEEP_ALIVE_SECONDS } from './tcp-connection.ts';

export interface UserspaceDeps {
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What relays [a thread of its own]. */
  readonly createRelay?: (deps: RelayThreadDeps) => RelayChannel;
  /** File descriptors that sockets of frontends may be, the lowest [{@link frontendDescriptors}]. */
  readonly socketDescriptors?: number;
}

/** Frontends that are looked at, and those whose sockets are changed, between other work: some milliseconds. */
const SLICE = 1_000;
const PART = 200;
const NO_FILTER = '[]';
/** A filter that no packet passes. */
const NOBODY = [{ prefixes: [], fromHost: false }];
/** What a request that is under way has when the process ends, milliseconds; as long new clients wait for the next process. */
const FINISH_MS = 200;

/** One frontend as it is carried. */
interface Carried {
  readonly frontend: Frontend;
  /** The socket that listens. undefined: nobody does, so the kernel refuses; or nobody could (see {@link UserspaceBackend.#broken}). */
  readonly fd: number | undefined;
  /** Text of the filter that the socket has. */
  readonly filter: string;
}

/** Services by sockets on their addresses, and a relay between both ends: see README.md. Here is decided, the relay carries. */
export class UserspaceBackend implements ProxyBackend {
  readonly name = 'userspace';
  readonly #netns: NetworkNamespace;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #routes: ServiceRoutes;
  readonly #descriptors = new DescriptorSet();
  readonly #relay: RelayChannel;
  /** What the relay has not been told. */
  #messages: RelayMessage[] = [];
  #facts: NodeFacts | undefined;
  readonly #carried = new Map<FrontendKey, Carried>();
  /** Frontends of each Service. */
  readonly #services = new Map<string, readonly FrontendKey[]>();
  /** Frontends that nobody could listen on, and why: tried again at each check. */
  readonly #broken = new Map<FrontendKey, string>();
  readonly #socketDescriptors: number;
  /** Everything is to be compared. */
  #full = true;

  constructor(deps: UserspaceDeps) {
    const { netns, clock, logger, createRelay = (deps) => new RelayThread(deps) } = deps;
    this.#socketDescriptors = deps.socketDescriptors ?? frontendDescriptors();
    this.#netns = netns;
    this.#clock = clock;
    this.#logger = logger;
    this.#routes = new ServiceRoutes(netns);
    const descriptors = this.#descriptors;
    this.#relay = createRelay({
      ...{ netns, clock, logger, descriptors },
      listening: () => this.#listening,
      table: () => this.#relayTable(),
    });
  }

  figures(): readonly BackendFigure[] {
    return [
      {
        name: 'podway_relay_descriptors',
        help: 'File descriptors that the relay holds: one a frontend and a UDP flow, two a TCP connection, one of its own.',
        value: this.#descriptors.size,
      },
      {
        name: 'podway_relay_broken_frontends',
        help: 'Addresses and ports of Services that something else listens on, or that could not be listened on.',
        value: this.#broken.size,
      },
    ];
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
    if (full) this.#messages.push(this.#factsMessage());
    this.#routes.setRanges(table.facts.serviceCIDRs);
    const released = new Map(full ? this.#carried : []);
    if (full) this.#services.clear();
    const wanted: Frontend[] = [];
    let looked = 0;
    for (const service of full ? table.services.keys() : new Set(changed)) {
      for (const key of this.#services.get(service) ?? []) {
        const carried = this.#carried.get(key);
        if (carried !== undefined) released.set(key, carried);
      }
      const frontends = (table.services.get(service)?.frontends ?? []).filter(({ elsewhere }) => !elsewhere);
      wanted.push(...frontends);
      if (frontends.length === 0) this.#services.delete(service);
      else this.#services.set(service, frontends.map(keyOf));
      if (++looked % SLICE === 0) await otherWork();
    }
    let writes = 0;
    for (const [i, frontend] of wanted.entries()) {
      const key = keyOf(frontend);
      const before = released.get(key);
      released.delete(key);
      const held = before !== undefined && isHeld(before.frontend);
      if (isHeld(frontend) && !held) this.#routes.hold(frontend.address);
      if (held && !isHeld(frontend)) this.#routes.release(frontend.address);
      writes += this.#carry(frontend, before);
      if (i % PART === PART - 1) await this.#endPart();
    }
    let gone = 0;
    for (const [key, carried] of released) {
      writes += this.#release(key, carried);
      if (++gone % PART === 0) await this.#endPart();
    }
    // Before the routes go: resets need the address as much as answers do.
    await this.#tellRelay();
    writes += await this.#routes.sync();
    this.#full = false;
    return { writes };
  }

  async intact(): Promise<boolean> {
    for (const [i, key] of [...this.#broken.keys()].entries()) {
      const carried = this.#carried.get(key);
      if (carried !== undefined) this.#carry(carried.frontend, carried);
      if (i % PART === PART - 1) await this.#endPart();
    }
    await this.#tellRelay();
    return this.#routes.matches();
  }

  /** Whether a flow ends here: then no translation is missing, and its end is ours. */
  ownsFlow(entry: ConntrackEntry): boolean {
    if (!FLOW_PROTOCOLS.has(entry.original.protocol) || isTranslated(entry)) return false;
    const place = addressedPlace(entry);
    return place !== undefined && this.#carried.get(place)?.fd !== undefined;
  }

  async cleanup(): Promise<void> {
    for (const [key, carried] of this.#carried) this.#release(key, carried);
    this.#services.clear();
    this.#full = true;
    await this.#tellRelay();
    this.#routes.remove();
  }

  /** Connections were relayed by the process before this one and ended with it. */
  async retire(): Promise<boolean> {
    await this.cleanup();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#finishRequests();
    await this.#relay[Symbol.asyncDispose]();
    // Connections are reset while the address is there, which resets need as much as answers do; then it goes, so that nobody is refused.
    this.#descriptors.resetAll(this.#listening);
    this.#routes.suspend();
    this.#descriptors.resetAll();
    await forgetSilencedClients(this.#netns.conntrack, new Set(this.#carried.keys()));
    this.#carried.clear();
    this.#routes[Symbol.dispose]();
  }

  /** New clients hear nothing any more, and try again; those whose requests are under way have a moment for them. */
  async #finishRequests(): Promise<void> {
    let isOpen = false;
    for (const { frontend, fd } of this.#carried.values()) {
      if (fd === undefined || frontend.protocol !== 'TCP') continue;
      filterSources(fd, frontend.family, NOBODY);
      isOpen = true;
    }
    if (isOpen) await sleep(this.#clock, FINISH_MS);
  }

  /** Makes the frontend's socket what it should be. @returns how many changes that took */
  #carry(frontend: Frontend, before: Carried | undefined): number {
    const key = keyOf(frontend);
    let fd = before?.fd;
    let filter = before?.filter ?? NO_FILTER;
    let writes = 0;
    const stop = () => {
      if (fd === undefined) return;
      this.#messages.push({ kind: 'close', key });
      fd = undefined;
      filter = NO_FILTER;
      writes++;
    };
    try {
      if (isRefused(frontend)) stop();
      else {
        if (fd === undefined) {
          fd = this.#listen(frontend);
          writes++;
        } else this.#messages.push({ kind: 'update', frontend: relayed(frontend) });
        const tests = sourceTests(frontend, this.#factsInForce);
        if (JSON.stringify(tests) !== filter) {
          filterSources(fd, frontend.family, tests);
          filter = JSON.stringify(tests);
          writes++;
        }
      }
      this.#broken.delete(key);
    } catch (error) {
      stop();
      this.#reportBroken(key, errorMessage(error));
    }
    this.#carried.set(key, { frontend, fd, filter });
    return writes;
  }

  #release(key: FrontendKey, { frontend, fd }: Carried): number {
    this.#carried.delete(key);
    this.#broken.delete(key);
    if (fd !== undefined) this.#messages.push({ kind: 'close', key });
    // Without the address, what still goes through it cannot go on: both ends had better know.
    if (isHeld(frontend) && this.#routes.release(frontend.address))
      this.#messages.push({ kind: 'reset', address: frontend.address });
    return fd === undefined ? 0 : 1;
  }

  #listen(frontend: Frontend): number {
    const { address, port, protocol } = frontend;
    if (protocol === 'SCTP')
      throw new InvalidInputError('protocol', protocol, 'only TCP and UDP are relayed');
    const udp = protocol === 'UDP';
    const fd = bindIn(this.#netns, { protocol: udp ? 'udp' : 'tcp', address, port, freeBind: true });
    // The kernel gives the lowest that is free.
    if (fd >= this.#socketDescriptors) {
      closeDescriptor(fd);
      const reason = 'they are taken, and what else may be open is for clients; raise the limit (ulimit -n)';
      throw new InvalidInputError('open files for Services', String(this.#socketDescriptors), reason);
    }
    this.#descriptors.add(fd);
    if (!udp) setStreamOptions(fd, KEEP_ALIVE_SECONDS);
    this.#messages.push({ kind: 'listen', fd, frontend: relayed(frontend) });
    return fd;
  }

  /** The relay hears of it before other work has its turn: one that begins then is told all that is carried. */
  async #endPart(): Promise<void> {
    await this.#tellRelay();
    await otherWork();
  }

  async #tellRelay(): Promise<void> {
    const messages = this.#messages;
    this.#messages = [];
    await this.#relay.send(messages);
  }

  get #listening(): ReadonlySet<number> {
    return new Set([...this.#carried.values()].flatMap(({ fd }) => fd ?? []));
  }

  /** For a relay that begins. */
  #relayTable(): readonly RelayMessage[] {
    const listening = [...this.#carried.values()].flatMap(({ fd, frontend }): RelayMessage[] =>
      fd === undefined ? [] : [{ kind: 'listen', fd, frontend: relayed(frontend) }],
    );
    return [this.#factsMessage(), ...listening];
  }

  #factsMessage(): RelayMessage {
    return { kind: 'facts', podCIDRs: this.#factsInForce.podCIDRs };
  }

  get #factsInForce(): Pick<NodeFacts, 'podCIDRs'> {
    return this.#facts ?? { podCIDRs: [] };
  }

  #reportBroken(key: FrontendKey, reason: string): void {
    if (this.#broken.get(key) === reason) return;
    this.#broken.set(key, reason);
    this.#logger.warn('a Service’s address cannot be listened on', { place: key, error: reason });
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
