import type { IpFamily } from '#ip';
import type { ConntrackPort } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { type Clock, type Logger, otherWork, PodwayError, Reconciler, systemClock } from '#runtime';
import type { ProxyBackend } from './backend.ts';
import { StaleFlowSweep } from './conntrack/stale-flow-sweep.ts';
import type { HealthChecks } from './health-checks.ts';
import { type NodeSettings, nodeAddresses, nodeFacts } from './node-facts.ts';
import { type Pending, PendingChanges } from './pending-changes.ts';
import { Predecessors } from './predecessors.ts';
import {
  type LocalCount,
  type SyncReport,
  TRIGGER_TIME_ANNOTATION,
  withoutLocalEndpoints,
} from './sync-report.ts';
import { familiesOf } from './table/facts.ts';
import { type EntryChange, type ServiceTable, ServiceTableBuilder } from './table/table.ts';

export interface ServiceProxyDeps {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly backend: ProxyBackend;
  /** Mechanisms that may have carried Services before: what is left of them goes once the backend serves. */
  readonly predecessors?: readonly ProxyBackend[];
  readonly conntrack: ConntrackPort;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Told what health check node ports have to answer. */
  readonly healthChecks?: HealthChecks;
  /** Told of every run that has succeeded. */
  readonly onSync?: (report: SyncReport) => void;
  /** Told of every run that has failed; it is tried again. */
  readonly onFailure?: () => void;
}

export interface ServiceProxyOptions extends NodeSettings {
  readonly nodeName: string;
  /** Wait this long after a change for others that come with it, milliseconds. */
  readonly coalesceMs?: number;
  /** How often to look whether the kernel still holds what was written, milliseconds; 0: never. */
  readonly checkMs?: number;
}

export interface ServiceProxy extends AsyncDisposable {
  /** Resolves when everything known at the time of the call is in the kernel. */
  settled(): Promise<void>;
  /** The decisions in force, or about to be. */
  readonly table: ServiceTable;
  /** When the kernel was last known to hold the whole table, clock milliseconds; undefined: never yet. */
  readonly lastUpdated: number | undefined;
  /** What has come and is not in the kernel yet. */
  readonly pending: Pending;
  /** To be called when what the settings' functions give may have changed: addresses of the node. */
  refresh(): void;
}

/** The machine cannot carry Services in the way that was asked for. */
class BackendUnavailableError extends PodwayError {
  readonly code = 'BackendUnavailable';
  constructor(backend: string, missing: readonly string[], cause: unknown) {
    super(`Services cannot be carried by ${backend}: ${missing.join('; ')}`, { cause });
  }
}

/** The next turn of the event loop: what one read of a watch brings is one change. */
const COALESCE_MS = 0;
const CHECK_MS = 2_000;
/** Services that are decided between other work: some milliseconds. */
const DECIDED_AT_ONCE = 100;

/**
 * Keeps the node's Services in the kernel. Nothing is written before Services and EndpointSlices have synced, so that a
 * restart finds no Service missing; disposing stops the keeping and leaves what is programmed.
 */
export function createServiceProxy(deps: ServiceProxyDeps, options: ServiceProxyOptions): ServiceProxy {
  return new RunningServiceProxy(deps, options);
}

class RunningServiceProxy implements ServiceProxy {
  readonly #deps: ServiceProxyDeps;
  readonly #options: ServiceProxyOptions;
  readonly #clock: Clock;
  readonly #builder: ServiceTableBuilder;
  readonly #reconciler: Reconciler;
  readonly #subscriptions: Disposable[] = [];
  /** Services whose decisions differ from what the backend last took. */
  readonly #changed = new Set<string>();
  readonly #flows: StaleFlowSweep;
  readonly #predecessors: Predecessors;
  readonly #pending: PendingChanges;
  #withoutLocal: LocalCount = { internal: 0, external: 0 };
  /** Families that Services have and this node has not, as the log has it. */
  readonly #missed = new Set<IpFamily>();
  #observed = false;
  #checkDue = false;
  #timer: Disposable | undefined;
  #lastUpdated: number | undefined;

  constructor(deps: ServiceProxyDeps, options: ServiceProxyOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#clock = deps.clock ?? systemClock;
    this.#flows = new StaleFlowSweep(deps.conntrack, deps.backend);
    this.#predecessors = new Predecessors(deps.predecessors ?? [], deps.logger);
    this.#pending = new PendingChanges(this.#clock);
    this.#builder = new ServiceTableBuilder(this.#facts());
    this.#reconciler = new Reconciler(
      {
        name: 'service-proxy',
        logger: deps.logger,
        clock: this.#clock,
        coalesceMs: options.coalesceMs ?? COALESCE_MS,
      },
      () => this.#reconcile().catch((error: unknown) => this.#explain(error)),
    );
    const { services, endpointSlices, nodes } = deps;
    this.#follow(services, (key, service) => {
      this.#builder.setService(key, service);
      if (this.#synced) this.#pending.add('services');
    });
    this.#follow(endpointSlices, (key, slice) => {
      this.#builder.setSlice(key, slice);
      const triggered = Date.parse(slice?.metadata?.annotations?.[TRIGGER_TIME_ANNOTATION] ?? '');
      if (this.#synced) this.#pending.add('endpointSlices', Number.isNaN(triggered) ? [] : [triggered]);
    });
    for (const node of nodes.list()) this.#nodeChanged(node, undefined);
    this.#subscriptions.push(nodes.onChange((current, old) => this.#nodeChanged(current, old)));
    void Promise.all([services.synced, endpointSlices.synced, nodes.synced]).then(
      () => this.#reconciler.trigger(),
      () => {}, // the informer was disposed before it synced; so are we
    );
    this.#scheduleCheck();
  }

  get table(): ServiceTable {
    return this.#builder.table;
  }

  get lastUpdated(): number | undefined {
    return this.#lastUpdated;
  }

  get pending(): Pending {
    return this.#pending.now;
  }

  refresh(): void {
    this.#builder.setFacts(this.#facts());
    if (this.#synced) this.#reconciler.trigger();
  }

  settled(): Promise<void> {
    return this.#reconciler.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    await this.#reconciler[Symbol.asyncDispose]();
  }

  #follow<T extends Service | EndpointSlice>(
    informer: Informer<T>,
    set: (key: string, object: T | undefined) => void,
  ): void {
    const keyOf = (object: T) => `${object.metadata?.namespace}/${object.metadata?.name}`;
    for (const object of informer.list()) set(keyOf(object), object);
    this.#subscriptions.push(
      informer.onChange((current, old) => {
        const object = current ?? old;
        if (object === undefined) return;
        set(keyOf(object), current);
        if (this.#synced) this.#reconciler.trigger();
      }),
    );
  }

  #nodeChanged(current: Node | undefined, old: Node | undefined): void {
    const name = (current ?? old)?.metadata?.name ?? '';
    if (name === this.#options.nodeName) this.refresh();
    else {
      const addresses = current === undefined ? [] : nodeAddresses(current, 'InternalIP', 'ExternalIP');
      if (this.#builder.setOtherNode(name, addresses) && this.#synced) this.#reconciler.trigger();
    }
  }

  #facts() {
    const { nodeName } = this.#options;
    return nodeFacts(nodeName, this.#deps.nodes.get(nodeName), this.#options);
  }

  get #synced(): boolean {
    const { services, endpointSlices, nodes } = this.#deps;
    return services.hasSynced && endpointSlices.hasSynced && nodes.hasSynced;
  }

  async #reconcile(): Promise<void> {
    if (!this.#synced) return;
    const { backend, logger } = this.#deps;
    const clock = this.#clock;
    const begun = clock.monotonic();
    const full = await this.#look();
    const pending = this.#pending.take();
    await this.#decide();
    const taken = [...this.#changed];
    const { writes } = await backend.apply(this.table, taken).catch((error: unknown) => {
      this.#pending.giveBack(pending);
      throw error;
    });
    for (const service of taken) {
      this.#changed.delete(service);
      this.#deps.healthChecks?.set(service, this.table.services.get(service)?.healthCheck);
    }
    await this.#predecessors.retire(backend);
    const sweptFrom = this.#flows.isDue ? clock.monotonic() : undefined;
    const deletedFlows = await this.#flows.run(this.table);
    const flowSeconds = sweptFrom === undefined ? undefined : (clock.monotonic() - sweptFrom) / 1000;
    this.#lastUpdated = clock.now();
    if (writes > 0 || deletedFlows > 0)
      logger.debug('services programmed', { changed: taken.length, writes, deletedFlows });
    this.#deps.onSync?.({
      seconds: (clock.monotonic() - begun) / 1000,
      full,
      changedServices: taken.length,
      writes,
      deletedFlows,
      flowSeconds,
      queued: pending.since,
      serviceChanges: pending.services,
      endpointSliceChanges: pending.endpointSlices,
      programmingSeconds: pending.triggerTimes.map((time) => (clock.now() - time) / 1000),
      withoutLocalEndpoints: this.#withoutLocal,
    });
  }

  /** Until something has worked, a failure may mean that it never will: then the reason is worth more than the message. */
  async #explain(error: unknown): Promise<never> {
    const { backend, onFailure } = this.#deps;
    onFailure?.();
    // A probe that fails itself must not hide why it was asked.
    const missing = this.#lastUpdated === undefined ? await backend.probe().catch(() => []) : [];
    throw missing.length > 0 ? new BackendUnavailableError(backend.name, missing, error) : error;
  }

  /** Looks at what the kernel holds when that is not known; true when everything must be compared. */
  async #look(): Promise<boolean> {
    const { backend, logger } = this.#deps;
    const check = this.#checkDue;
    this.#checkDue = false;
    if (this.#observed) {
      if (!check || (await backend.intact())) return false;
      logger.warn('the proxy’s rules were removed or changed by someone else, writing them again');
      await backend.observe();
      return true;
    }
    this.#flows.noteFormer((await backend.observe()).frontends);
    this.#flows.noteFormer(await this.#predecessors.frontends());
    this.#observed = true;
    return true;
  }

  /** What comes meanwhile is decided with it, so that the table is of one time. */
  async #decide(): Promise<void> {
    for (const family of familiesOf(this.table.facts)) this.#missed.delete(family);
    while (this.#builder.due > 0) {
      this.#take(this.#builder.commit(DECIDED_AT_ONCE));
      if (this.#builder.due > 0) await otherWork();
    }
  }

  #take(changes: readonly EntryChange[]): void {
    let { internal, external } = this.#withoutLocal;
    for (const change of changes) {
      this.#changed.add(change.service);
      this.#flows.note(change);
      const before = withoutLocalEndpoints(change.previous);
      const after = withoutLocalEndpoints(change.next);
      internal += after.internal - before.internal;
      external += after.external - before.external;
      for (const family of change.next?.missingFamilies ?? []) this.#miss(family, change.service);
      for (const problem of change.next?.problems ?? [])
        if (!change.previous?.problems.includes(problem))
          this.#deps.logger.warn('part of a Service cannot be used', { service: change.service, problem });
    }
    this.#withoutLocal = { internal, external };
  }

  /** Once for all Services: in a cluster of both families they may be many. */
  #miss(family: IpFamily, service: string): void {
    if (this.#missed.has(family)) return;
    this.#missed.add(family);
    this.#deps.logger.warn(
      `this node has no ${family}: Services’ addresses of that family do not answer here`,
      {
        firstService: service,
      },
    );
  }

  #scheduleCheck(): void {
    const ms = this.#options.checkMs ?? CHECK_MS;
    if (ms === 0) return;
    this.#timer = this.#clock.setTimer(
      ms,
      () => {
        this.#checkDue = true;
        if (this.#observed) this.#reconciler.trigger();
        this.#scheduleCheck();
      },
      { unref: true },
    );
  }
}
