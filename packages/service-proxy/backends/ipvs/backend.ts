import type { IpAddress } from '#ip';
import { type IpvsChange, type IpvsServiceKey, KernelError, type NetworkNamespace } from '#kernel';
import { type Clock, errorMessage, type Logger } from '#runtime';
import type { ApplyReport, BackendObservation, ProxyBackend } from '../../backend.ts';
import { type FrontendKey, frontendKey, keyOf, type Protocol, type ServiceEntry } from '../../table/entry.ts';
import { familiesOf, type NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { NodeTables } from '../nft/node-tables.ts';
import type { ObservedElements } from '../nft/observed-elements.ts';
import { placeKey } from '../nft/place.ts';
import { KnownServers } from './known-servers.ts';
import { type IpvsPlacement, ipvsLayout, isExternal, isLoopback } from './layout.ts';
import { isOurMark, MarkAllocator } from './mark-allocator.ts';
import type { IpvsOptions } from './options.ts';
import {
  canBeDirect,
  needsMark,
  planService,
  type ServicePlan,
  serverKey,
  type VirtualServer,
} from './plan.ts';
import { hasScheduler, probeIpvs } from './probe.ts';
import { applySettings } from './settings.ts';
import { VirtualAddresses } from './virtual-addresses.ts';

export interface IpvsDeps {
  /** The node's. */
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Programmed {
  readonly entry: ServiceEntry;
  readonly placement: IpvsPlacement;
  readonly plan: ServicePlan;
}

/** How often destinations that drain are looked at, milliseconds. */
const SWEEP_MS = 5_000;
/** Servers whose destinations are read, and changes that are made, between other work: some milliseconds. */
const SLICE = 200;
const PART = 1_000;
/** Servers that each check looks at; all of them after so many checks as there are hundreds. */
const CHECKED = 32;
const SERVERS_A_CHECK = 500;
/** include/uapi/linux/netfilter/nf_conntrack_common.h */
const IPS_DST_NAT = 1 << 5;
const PROTOCOL_NAMES: ReadonlyMap<number, Protocol> = new Map([
  [6, 'TCP'],
  [17, 'UDP'],
  [132, 'SCTP'],
]);

/** Services as virtual servers of the kernel's balancer: see README.md. */
export class IpvsBackend implements ProxyBackend {
  readonly name = 'ipvs';
  readonly #netns: NetworkNamespace;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #options: IpvsOptions;
  readonly #tables: NodeTables<IpvsPlacement>;
  readonly #addresses: VirtualAddresses;
  readonly #servers = new KnownServers();
  readonly #marks = new MarkAllocator();
  readonly #programmed = new Map<string, Programmed>();
  /** Whether a scheduler is there. */
  readonly #schedulers = new Map<string, boolean>();
  /** What is remembered of the kernel: nothing, what was found there, or what was written. */
  #memory: 'none' | 'observed' | 'written' = 'none';
  /** Something is being written: what has drained must wait. */
  #busy = false;
  #sweep: Disposable | undefined;
  #facts: NodeFacts | undefined;
  #told: readonly string[] = [];
  /** What was answered when another mechanism took over; undefined: none has. */
  #retired: ReadonlySet<FrontendKey> | undefined;
  #answered: ReadonlySet<FrontendKey> = new Set();
  #pause = 0;
  #checked: Iterator<Programmed> | undefined;

  constructor({ netns, clock, logger }: IpvsDeps, options: IpvsOptions) {
    this.#netns = netns;
    this.#clock = clock;
    this.#logger = logger;
    this.#options = options;
    this.#addresses = new VirtualAddresses(netns);
    const layout = ipvsLayout((entry) => this.#placementOf(entry));
    this.#tables = new NodeTables(netns.nft, layout);
  }

  probe(): Promise<readonly string[]> {
    return probeIpvs(this.#netns, this.#options.scheduler);
  }

  async observe(): Promise<BackendObservation> {
    this.#memory = 'none';
    this.#programmed.clear();
    this.#servers.clear();
    this.#marks.clear();
    this.#checked = undefined;
    const frontends = new Set<FrontendKey>();
    const tables = await this.#tables.observe();
    for (const observed of tables)
      for (const set of ['served', 'refused'])
        for (const place of placesIn(observed, set)) frontends.add(place);
    for (const observed of tables)
      for (const [place, mark] of observed.get('outside_marks') ?? [])
        this.#marks.restore(placeKey(place), Number(mark));
    this.#addresses.observe();
    this.#answered = frontends;
    await this.#observeServers(frontends);
    this.#memory = 'observed';
    return { frontends };
  }

  async apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport> {
    if (this.#memory === 'none') await this.observe();
    const all = this.#memory === 'observed';
    const services = [...(all ? table.services.keys() : changed)];
    this.#memory = 'none';
    this.#busy = true;
    try {
      const writes = this.#prepare(table.facts) + (await this.#write(table, services, all));
      this.#memory = 'written';
      return { writes };
    } finally {
      this.#busy = false;
      this.#sweepLater();
    }
  }

  async intact(): Promise<boolean> {
    if (this.#memory !== 'written' || !(await this.#tables.intact())) return false;
    if (this.#pause > 0) {
      this.#pause--;
      return this.#spotCheck();
    }
    this.#pause = Math.floor(this.#servers.size / SERVERS_A_CHECK);
    const ours = this.#netns.ipvs.listServices().filter((service) => this.#servers.has(service));
    return (
      ours.length === this.#servers.size &&
      ours.every((service) => this.#servers.matchesService(service)) &&
      this.#addresses.isIntact() &&
      this.#spotCheck()
    );
  }

  async cleanup(): Promise<void> {
    await this.observe();
    if (this.#tables.areThere) await this.#remove();
    this.#memory = 'none';
  }

  /**
   * Established connections go on through IPVS: their VIPs stay, and all destinations with weight 0, until they end or the grace period is
   * over. A mechanism that answers at the VIPs itself leaves no room for that: IPVS comes before it, and would refuse its connections.
   */
  async retire(successor: Pick<ProxyBackend, 'name' | 'ownsFlow'>): Promise<boolean> {
    if (this.#retired === undefined) {
      if (this.#memory === 'none') await this.observe();
      if (!this.#tables.areThere) return true;
      if (successor.ownsFlow !== undefined) {
        await this.#remove();
        await this.#endFlows(this.#answered);
        return true;
      }
      // Places of servers are kept: they tell the next life that these are ours.
      await this.#tables.keepOnly(new Set(['served']));
      this.#change(this.#servers.drainAll(this.#clock.monotonic()));
      this.#retired = this.#answered;
      this.#sweepLater();
    }
    if (this.#servers.size > 0) return false;
    await this.#remove();
    await this.#endFlows(this.#retired);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweep?.[Symbol.dispose]();
    this.#sweep = undefined;
  }

  /** Ours are the servers of our addresses and marks, and those whose places our rules know. */
  async #observeServers(places: ReadonlySet<FrontendKey>): Promise<void> {
    // Asking would load ip_vs.
    if (!this.#tables.areThere && this.#addresses.bound.size === 0) return;
    const { ipvs } = this.#netns;
    if (!ipvs.available()) return;
    let read = 0;
    for (const service of ipvs.listServices()) {
      const ours =
        service.mark === undefined
          ? this.#addresses.bound.has(service.address) ||
            places.has(frontendKey(service.address, service.protocol, service.port))
          : isOurMark(service.mark);
      if (!ours) continue;
      this.#servers.observed(service, ipvs.listDestinations(service), this.#clock.monotonic());
      if (++read % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Settings and the link. @returns how much was written */
  #prepare(facts: NodeFacts): number {
    this.#facts = facts;
    const { writes, problems } = applySettings(
      this.#netns.sysctl,
      familiesOf(facts),
      this.#options.strictArp,
    );
    const told = [...problems];
    if (facts.nodePortAddresses.some(isLoopback))
      told.push('NodePorts do not answer on 127.0.0.1: IPVS takes no packet from there to another machine');
    for (const problem of told) if (!this.#told.includes(problem)) this.#logger.warn(problem);
    this.#told = told;
    return writes + this.#setTimeouts() + this.#addresses.prepare();
  }

  #setTimeouts(): number {
    const { timeouts } = this.#options;
    if (Object.keys(timeouts).length === 0) return 0;
    const { ipvs } = this.#netns;
    const present = ipvs.timeouts();
    const wanted = { ...present, ...timeouts };
    if (wanted.tcp === present.tcp && wanted.tcpFin === present.tcpFin && wanted.udp === present.udp)
      return 0;
    ipvs.setTimeouts(timeouts);
    return 1;
  }

  /**
   * A Service that comes is balanced before its address is there; one that goes loses its rules and its address before its servers. In between
   * lies nothing worse than the state before or after.
   */
  async #write(table: ServiceTable, services: readonly string[], all: boolean): Promise<number> {
    const { wanted, unwanted, vips, formerMarks } = this.#plan(table, services);
    if (all) {
      this.#adopt(wanted);
      for (const service of this.#servers.services) unwanted.set(serverKey(service), service);
    }
    for (const { service } of wanted) unwanted.delete(serverKey(service));
    const now = this.#clock.monotonic();
    let writes = await this.#changeInParts(wanted.flatMap((server) => this.#servers.want(server, now)));
    writes += await this.#tables.apply(table, services);
    writes += await this.#addresses.bind(vips);
    writes += this.#addresses.unbindUnused();
    writes += await this.#changeInParts([
      ...[...unwanted.values()].flatMap((service) => this.#servers.forget(service)),
      ...this.#servers.forgetEmpty(wanted.map(({ service }) => service)),
    ]);
    for (const key of formerMarks) this.#marks.release(key);
    return writes;
  }

  /** What is wanted and there already is taken over, although nothing says that it was ours: another proxy's, or our rules were flushed. */
  #adopt(wanted: readonly VirtualServer[]): void {
    const { ipvs } = this.#netns;
    const keys = new Set(wanted.map(({ service }) => serverKey(service)));
    for (const service of ipvs.listServices())
      if (keys.has(serverKey(service)) && !this.#servers.has(service))
        this.#servers.observed(service, ipvs.listDestinations(service), this.#clock.monotonic());
  }

  #plan(table: ServiceTable, services: readonly string[]) {
    const wanted: VirtualServer[] = [];
    const unwanted = new Map<string, IpvsServiceKey>();
    const vips: IpAddress[] = [];
    const formerMarks = new Set<FrontendKey>();
    const marked = new Set<FrontendKey>();
    for (const service of services) {
      const previous = this.#programmed.get(service);
      const entry = table.services.get(service);
      if (previous !== undefined && previous.entry === entry) continue;
      for (const server of previous?.plan.servers ?? [])
        unwanted.set(serverKey(server.service), server.service);
      for (const key of previous?.placement.marks.keys() ?? []) formerMarks.add(key);
      for (const vip of previous?.plan.vips ?? []) this.#addresses.release(vip);
      this.#programmed.delete(service);
      if (entry === undefined) continue;
      const placement = this.#place(entry);
      const plan = planService(entry, placement, this.#schedulerOf(entry));
      this.#programmed.set(service, { entry, placement, plan });
      wanted.push(...plan.servers);
      for (const key of placement.marks.keys()) marked.add(key);
      for (const vip of plan.vips) {
        this.#addresses.ask(vip);
        vips.push(vip);
      }
    }
    for (const key of marked) formerMarks.delete(key);
    return { wanted, unwanted, vips, formerMarks };
  }

  /** What the elements of a Service are made with: the plan of the same entry has been made before. */
  #placementOf(entry: ServiceEntry): IpvsPlacement {
    return this.#programmed.get(entry.service)?.placement ?? this.#place(entry);
  }

  #place(entry: ServiceEntry): IpvsPlacement {
    const { frontends } = entry;
    const marks = new Map(
      frontends.filter(needsMark).map((frontend) => [keyOf(frontend), this.#marks.of(keyOf(frontend))]),
    );
    const externals = new Set(frontends.filter(isExternal).map(({ address }) => address));
    const wantsDirect = (entry.ipvs?.forwarding ?? this.#options.forwarding) === 'direct';
    const direct = frontends.filter(
      (frontend) => wantsDirect && canBeDirect(frontend, (address) => this.#linkOf(address)),
    );
    return {
      marks,
      nodesOwn: new Set([...externals].filter((address) => this.#isNodesOwn(address))),
      direct: new Set(direct.map(keyOf)),
    };
  }

  #isNodesOwn(address: IpAddress): boolean {
    const { addresses = [], nodePortAddresses = [] } = this.#facts ?? {};
    if (addresses.includes(address) || nodePortAddresses.includes(address)) return true;
    return !this.#addresses.bound.has(address) && this.#route(address)?.type === 'local';
  }

  #linkOf(address: IpAddress): string | undefined {
    const route = this.#route(address);
    return route?.type === 'unicast' && route.gateway === undefined ? route.link : undefined;
  }

  #route(address: IpAddress) {
    try {
      return this.#netns.routes.lookup(address);
    } catch (error) {
      if (error instanceof KernelError) return undefined; // no way there
      throw error;
    }
  }

  #schedulerOf({ service, ipvs }: ServiceEntry): string {
    const wanted = ipvs?.scheduler;
    if (wanted === undefined) return this.#options.scheduler;
    const known = this.#schedulers.get(wanted);
    const there = known ?? hasScheduler(this.#netns.ipvs, wanted);
    if (known === undefined) this.#schedulers.set(wanted, there);
    if (!there)
      this.#logger.warn('this kernel has no such IPVS scheduler, the default is used', {
        service,
        scheduler: wanted,
      });
    return there ? wanted : this.#options.scheduler;
  }

  /** As {@link #change}, and other work has its turn meanwhile. */
  async #changeInParts(changes: readonly IpvsChange[]): Promise<number> {
    for (let start = 0; start < changes.length; start += PART) {
      if (start > 0) await new Promise((resolve) => setImmediate(resolve));
      this.#change(changes.slice(start, start + PART));
    }
    return changes.length;
  }

  #change(changes: readonly IpvsChange[]): number {
    if (changes.length > 0) this.#netns.ipvs.change(changes);
    return changes.length;
  }

  #sweepLater(): void {
    if (this.#sweep !== undefined || !this.#servers.isDraining) return;
    const look = () => {
      this.#sweep = undefined;
      if (!this.#busy) this.#sweepNow();
      this.#sweepLater();
    };
    this.#sweep = this.#clock.setTimer(SWEEP_MS, look, { unref: true });
  }

  #sweepNow(): void {
    const { ipvs } = this.#netns;
    try {
      const now = this.#clock.monotonic();
      this.#change(
        this.#servers.sweep((service) => ipvs.listDestinations(service), now, this.#options.gracePeriodMs),
      );
    } catch (error) {
      this.#memory = 'none'; // the next apply looks
      this.#logger.warn('endpoints that have drained cannot be removed', { error: errorMessage(error) });
    }
  }

  /** The destinations of some Services, others at each call. */
  #spotCheck(): boolean {
    const { ipvs } = this.#netns;
    for (let i = 0; i < CHECKED; i++) {
      this.#checked ??= this.#programmed.values();
      const next = this.#checked.next();
      if (next.done === true) {
        this.#checked = undefined;
        return true;
      }
      for (const { service } of next.value.plan.servers)
        if (this.#servers.has(service) && !this.#servers.matches(service, ipvs.listDestinations(service)))
          return false;
    }
    return true;
  }

  /** Connections that had to end are forgotten by conntrack too, so that their next packet is answered by the mechanism that serves now. */
  async #endFlows(places: ReadonlySet<FrontendKey>): Promise<void> {
    const { conntrack } = this.#netns;
    for (const entry of await conntrack.list()) {
      const { original, reply, status } = entry;
      const protocol = PROTOCOL_NAMES.get(original.protocol);
      if (protocol === undefined || original.destinationPort === undefined) continue;
      // IPVS translates without the flag that NAT rules leave.
      if ((status & IPS_DST_NAT) !== 0 || reply.source === original.destination) continue;
      if (places.has(frontendKey(original.destination, protocol, original.destinationPort)))
        conntrack.delete(entry);
    }
  }

  /** Everything that {@link observe} has found. */
  async #remove(): Promise<void> {
    await this.#tables.remove();
    this.#change(this.#servers.services.flatMap((service) => this.#servers.forget(service)));
    this.#addresses.remove();
  }
}

function placesIn(observed: ObservedElements, set: string): readonly FrontendKey[] {
  return [...(observed.get(set)?.keys() ?? [])].map(placeKey);
}
