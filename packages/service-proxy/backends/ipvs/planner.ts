import type { IpAddress } from '#ip';
import type { IpvsServiceKey, NetworkNamespace } from '#kernel';
import { type Logger, otherWork } from '#runtime';
import { type FrontendKey, isExternal, keyOf, type ServiceEntry } from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { RouteLookup } from '../route-lookup.ts';
import type { IpvsPlacement } from './layout.ts';
import { MarkAllocator } from './mark-allocator.ts';
import type { IpvsOptions } from './options.ts';
import {
  canBeDirect,
  needsMark,
  planService,
  type ServicePlan,
  serverKey,
  type VirtualServer,
} from './plan.ts';
import { hasScheduler } from './probe.ts';

/** Services that are planned between other work: some milliseconds. */
const SLICE = 200;

interface Planned {
  readonly entry: ServiceEntry;
  readonly placement: IpvsPlacement;
  readonly plan: ServicePlan;
}

/** What some Services need of the kernel now, and what they no longer need. */
export interface ChangePlan {
  readonly wanted: readonly VirtualServer[];
  /** By {@link serverKey}; none of them is wanted. */
  readonly unwanted: ReadonlyMap<string, IpvsServiceKey>;
  /** Each as often as a Service asks for it. */
  readonly vips: readonly IpAddress[];
  readonly formerVips: readonly IpAddress[];
  /** To be released when nothing leads to them any more. */
  readonly formerMarks: ReadonlySet<FrontendKey>;
}

export interface PlannerDeps {
  readonly netns: Pick<NetworkNamespace, 'ipvs' | 'routes'>;
  readonly logger: Logger;
  /** Whether an address is this node's for a Service's sake. */
  readonly isBound: (address: IpAddress) => boolean;
}

/** Says what each Service needs on this node, and remembers it: marks, schedulers and places stay as they are while they can. */
export class Planner {
  readonly #ipvs: NetworkNamespace['ipvs'];
  readonly #routes: RouteLookup;
  readonly #logger: Logger;
  readonly #isBound: (address: IpAddress) => boolean;
  readonly #options: Pick<IpvsOptions, 'scheduler' | 'forwarding'>;
  readonly #marks = new MarkAllocator();
  readonly #planned = new Map<string, Planned>();
  /** Whether the kernel has a scheduler. */
  readonly #schedulers = new Map<string, boolean>();
  #facts: NodeFacts | undefined;

  constructor(
    { netns, logger, isBound }: PlannerDeps,
    options: Pick<IpvsOptions, 'scheduler' | 'forwarding'>,
  ) {
    this.#ipvs = netns.ipvs;
    this.#routes = new RouteLookup(netns.routes);
    this.#logger = logger;
    this.#isBound = isBound;
    this.#options = options;
  }

  forgetAll(): void {
    this.#planned.clear();
    this.#marks.clear();
  }

  /** As an earlier life gave it. */
  restoreMark(key: FrontendKey, mark: number): void {
    this.#marks.restore(key, mark);
  }

  releaseMarks(keys: Iterable<FrontendKey>): void {
    for (const key of keys) this.#marks.release(key);
  }

  /** Other work has its turn while there are many. */
  async plan(table: ServiceTable, services: readonly string[]): Promise<ChangePlan> {
    this.#facts = table.facts;
    const wanted: VirtualServer[] = [];
    const unwanted = new Map<string, IpvsServiceKey>();
    const vips: IpAddress[] = [];
    const formerVips: IpAddress[] = [];
    const marked = new Set<FrontendKey>();
    const formerMarks = new Set<FrontendKey>();
    for (const [i, service] of services.entries()) {
      if (i % SLICE === SLICE - 1) await otherWork();
      const previous = this.#planned.get(service);
      const entry = table.services.get(service);
      if (previous !== undefined && previous.entry === entry) continue;
      for (const server of previous?.plan.servers ?? [])
        unwanted.set(serverKey(server.service), server.service);
      for (const key of previous?.placement.marks.keys() ?? []) formerMarks.add(key);
      formerVips.push(...(previous?.plan.vips ?? []));
      this.#planned.delete(service);
      if (entry === undefined) continue;
      const placement = this.#place(entry);
      const plan = planService(entry, placement, this.#schedulerOf(entry));
      this.#planned.set(service, { entry, placement, plan });
      wanted.push(...plan.servers);
      for (const key of placement.marks.keys()) marked.add(key);
      vips.push(...plan.vips);
    }
    for (const { service } of wanted) unwanted.delete(serverKey(service));
    for (const key of marked) formerMarks.delete(key);
    return { wanted, unwanted, vips, formerVips, formerMarks };
  }

  /** What the elements of a Service are made with: the plan of the same entry has been made before. */
  placementOf(entry: ServiceEntry): IpvsPlacement {
    return this.#planned.get(entry.service)?.placement ?? this.#place(entry);
  }

  #place(entry: ServiceEntry): IpvsPlacement {
    const frontends = entry.frontends.filter(({ elsewhere }) => !elsewhere);
    const externals = new Set(frontends.filter(isExternal).map(({ address }) => address));
    const isDirect = (entry.ipvs?.forwarding ?? this.#options.forwarding) === 'direct';
    const direct = isDirect
      ? frontends.filter((frontend) => canBeDirect(frontend, (address) => this.#routes.linkOf(address)))
      : [];
    return {
      marks: new Map(
        frontends.filter(needsMark).map((frontend) => [keyOf(frontend), this.#marks.of(keyOf(frontend))]),
      ),
      nodesOwn: new Set([...externals].filter((address) => this.#isNodesOwn(address))),
      direct: new Set(direct.map(keyOf)),
    };
  }

  #isNodesOwn(address: IpAddress): boolean {
    const { addresses = [], nodePortAddresses = [] } = this.#facts ?? {};
    if (addresses.includes(address) || nodePortAddresses.includes(address)) return true;
    return !this.#isBound(address) && this.#routes.isLocal(address);
  }

  #schedulerOf({ service, ipvs }: ServiceEntry): string {
    const wanted = ipvs?.scheduler;
    if (wanted === undefined) return this.#options.scheduler;
    const known = this.#schedulers.get(wanted);
    const isThere = known ?? hasScheduler(this.#ipvs, wanted);
    if (known === undefined) this.#schedulers.set(wanted, isThere);
    if (!isThere)
      this.#logger.warn('this kernel has no such IPVS scheduler, the default is used', {
        service,
        scheduler: wanted,
      });
    return isThere ? wanted : this.#options.scheduler;
  }
}
