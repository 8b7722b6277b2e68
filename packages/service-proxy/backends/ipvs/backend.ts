import type { NetworkNamespace } from '#kernel';
import type { Clock, Logger } from '#runtime';
import type { ApplyReport, BackendFigure, BackendObservation, ProxyBackend } from '../../backend.ts';
import { type FrontendKey, frontendKey } from '../../table/entry.ts';
import { familiesOf, type NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { NodeTables } from '../nft/node-tables.ts';
import type { ObservedElements } from '../nft/observed-elements.ts';
import { placeKey } from '../nft/place.ts';
import { endFlows } from './end-flows.ts';
import { type IpvsPlacement, ipvsLayout, isLoopback } from './layout.ts';
import { isOurMark } from './mark-allocator.ts';
import type { IpvsOptions } from './options.ts';
import { serverKey } from './plan.ts';
import { Planner } from './planner.ts';
import { probeIpvs } from './probe.ts';
import { applySettings, applyTimeouts, type SettingsReport } from './settings.ts';
import { VirtualAddresses } from './virtual-addresses.ts';
import { VirtualServers } from './virtual-servers.ts';

export interface IpvsDeps {
  /** The node's. */
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** After all servers were listed, so many are spared for as many checks as follow. */
const SERVERS_A_CHECK = 500;

/** Services as virtual servers of the kernel's balancer: see README.md. */
export class IpvsBackend implements ProxyBackend {
  readonly name = 'ipvs';
  readonly #netns: NetworkNamespace;
  readonly #logger: Logger;
  readonly #options: IpvsOptions;
  readonly #tables: NodeTables<IpvsPlacement>;
  readonly #addresses: VirtualAddresses;
  readonly #servers: VirtualServers;
  readonly #planner: Planner;
  /** What is remembered of the kernel: nothing, what was found there, or what was written. */
  #memory: 'none' | 'observed' | 'written' = 'none';
  #settings: SettingsReport | undefined;
  /** Checks until everything is listed again. */
  #pause = 0;
  /** Problems that the log has. */
  #told: readonly string[] = [];
  #answered: ReadonlySet<FrontendKey> = new Set();
  /** What was answered when another mechanism took over; undefined: none has. */
  #retired: ReadonlySet<FrontendKey> | undefined;

  constructor({ netns, clock, logger }: IpvsDeps, options: IpvsOptions) {
    this.#netns = netns;
    this.#logger = logger;
    this.#options = options;
    this.#addresses = new VirtualAddresses(netns);
    this.#servers = new VirtualServers({ ipvs: netns.ipvs, clock, logger }, options.gracePeriodMs);
    this.#planner = new Planner({ netns, logger, isBound: (vip) => this.#addresses.isBound(vip) }, options);
    const layout = ipvsLayout((entry) => this.#planner.placementOf(entry));
    this.#tables = new NodeTables(netns.nft, layout);
  }

  figures(): readonly BackendFigure[] {
    return [
      {
        name: 'podway_ipvs_virtual_servers',
        help: 'Virtual servers of Services in the kernel.',
        value: this.#servers.size,
      },
      {
        name: 'podway_ipvs_draining_destinations',
        help: 'Destinations that are no endpoints any more and have connections that go on.',
        value: this.#servers.drainingDestinations,
      },
    ];
  }

  probe(): Promise<readonly string[]> {
    return probeIpvs(this.#netns, this.#options.scheduler);
  }

  async observe(): Promise<BackendObservation> {
    this.#memory = 'none';
    this.#planner.forgetAll();
    this.#servers.forgetAll();
    const frontends = new Set<FrontendKey>();
    const tables = await this.#tables.observe();
    for (const observed of tables) {
      for (const set of ['served', 'refused'])
        for (const place of placesIn(observed, set)) frontends.add(place);
      for (const [place, mark] of observed.get('outside_marks') ?? [])
        this.#planner.restoreMark(placeKey(place), Number(mark));
    }
    this.#addresses.observe();
    await this.#observeServers(frontends);
    this.#answered = frontends;
    this.#memory = 'observed';
    return { frontends };
  }

  async apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport> {
    if (this.#memory === 'none' || !this.#servers.areKnown) await this.observe();
    const isFirst = this.#memory === 'observed';
    const services = [...(isFirst ? table.services.keys() : changed)];
    this.#memory = 'none'; // should this fail
    const writes = await this.#servers.uninterrupted(
      async () => this.#prepare(table.facts) + (await this.#write(table, services, isFirst)),
    );
    this.#memory = 'written';
    return { writes };
  }

  async intact(): Promise<boolean> {
    if (this.#memory !== 'written' || !this.#servers.areKnown || !this.#settings?.hold()) return false;
    if (!(await this.#tables.intact())) return false;
    if (this.#pause > 0) {
      this.#pause--;
      return this.#servers.spotCheck();
    }
    this.#pause = Math.floor(this.#servers.size / SERVERS_A_CHECK);
    return (await this.#servers.match()) && this.#addresses.isIntact() && this.#servers.spotCheck();
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
    const atOnce = successor.ownsFlow !== undefined;
    if (this.#retired === undefined) {
      if (this.#memory !== 'observed') await this.observe();
      if (!this.#tables.areThere) return true;
      this.#retired = this.#answered;
      if (!atOnce) {
        // Places of servers are kept: they tell the next life that these are ours.
        await this.#tables.keepOnly(new Set(['served']));
        await this.#servers.drainAll();
      }
    }
    if (!atOnce && this.#servers.size > 0) return false;
    await this.#remove();
    await endFlows(this.#netns.conntrack, this.#retired);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#servers[Symbol.dispose]();
  }

  /** Ours are the servers of our addresses and marks, and those whose places our rules know. */
  async #observeServers(places: ReadonlySet<FrontendKey>): Promise<void> {
    // Asking would load ip_vs.
    if (!this.#tables.areThere && !this.#addresses.areAny) return;
    if (!this.#netns.ipvs.available()) return;
    await this.#servers.observe(({ mark, address, protocol, port }) =>
      mark === undefined
        ? this.#addresses.isBound(address) || places.has(frontendKey(address, protocol, port))
        : isOurMark(mark),
    );
  }

  /** Settings and the link. @returns how much was written */
  #prepare(facts: NodeFacts): number {
    const { sysctl, ipvs } = this.#netns;
    const { strictArp, timeouts } = this.#options;
    this.#settings = applySettings(sysctl, familiesOf(facts), strictArp);
    const told = [...this.#settings.problems];
    if (facts.nodePortAddresses.some(isLoopback))
      told.push('NodePorts do not answer on 127.0.0.1: IPVS takes no packet from there to another machine');
    for (const problem of told) if (!this.#told.includes(problem)) this.#logger.warn(problem);
    this.#told = told;
    return this.#settings.writes + applyTimeouts(ipvs, timeouts) + this.#addresses.prepare();
  }

  /**
   * A Service that comes is balanced before its address is there; one that goes loses its rules and its address before its servers. In between
   * lies nothing worse than the state before or after.
   */
  async #write(table: ServiceTable, services: readonly string[], isFirst: boolean): Promise<number> {
    const { wanted, unwanted, vips, formerVips, formerMarks } = await this.#planner.plan(table, services);
    const keys = wanted.map(({ service }) => service);
    const known = new Set(keys.map(serverKey));
    // What is wanted and there already is taken over, although nothing says that it was ours: another proxy's, or our rules were flushed.
    if (isFirst) await this.#servers.observe((service) => known.has(serverKey(service)));
    const left = isFirst ? this.#servers.keys : [...unwanted.values()];
    let writes = await this.#servers.want(wanted);
    writes += await this.#tables.apply(table, services);
    writes += await this.#addresses.change(vips, formerVips);
    writes += await this.#servers.remove(left.filter((key) => !known.has(serverKey(key))));
    writes += await this.#servers.removeEmpty(keys);
    this.#planner.releaseMarks(formerMarks);
    return writes;
  }

  /** Everything that {@link observe} has found. */
  async #remove(): Promise<void> {
    await this.#tables.remove();
    await this.#servers.remove(this.#servers.keys);
    this.#addresses.remove();
  }
}

function placesIn(observed: ObservedElements, set: string): readonly FrontendKey[] {
  return [...(observed.get(set)?.keys() ?? [])].map(placeKey);
}
