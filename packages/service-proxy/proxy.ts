import type { ConntrackPort } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { type Clock, type Logger, PodwayError, Reconciler, systemClock } from '#runtime';
import type { BackendFigure, ProxyBackend } from './backend.ts';
import { ClusterWatch } from './cluster-watch.ts';
import { StaleFlowSweep } from './conntrack/stale-flow-sweep.ts';
import { Decisions } from './decisions.ts';
import type { HealthChecks } from './health-checks.ts';
import type { NodeSettings } from './node-facts.ts';
import { type Pending, PendingChanges } from './pending-changes.ts';
import { Predecessors } from './predecessors.ts';
import type { SyncReport } from './sync-report.ts';
import type { ServiceTable } from './table/table.ts';

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
  /** The mechanism's own. */
  readonly figures: readonly BackendFigure[];
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
  readonly #cluster: ClusterWatch;
  readonly #decisions: Decisions;
  readonly #reconciler: Reconciler;
  readonly #flows: StaleFlowSweep;
  readonly #predecessors: Predecessors;
  readonly #pending: PendingChanges;
  #observed = false;
  #checkDue = false;
  #timer: Disposable | undefined;
  #lastUpdated: number | undefined;

  constructor(deps: ServiceProxyDeps, options: ServiceProxyOptions) {
    const { logger, clock = systemClock } = deps;
    this.#deps = deps;
    this.#options = options;
    this.#clock = clock;
    this.#flows = new StaleFlowSweep(deps.conntrack, deps.backend);
    this.#predecessors = new Predecessors(deps.predecessors ?? [], logger);
    this.#pending = new PendingChanges(clock);
    const { coalesceMs = COALESCE_MS } = options;
    this.#reconciler = new Reconciler({ name: 'service-proxy', logger, clock, coalesceMs }, () =>
      this.#reconcile().catch((error: unknown) => this.#explain(error)),
    );
    this.#cluster = new ClusterWatch({ ...deps, pending: this.#pending }, options.nodeName, options, () =>
      this.#reconciler.trigger(),
    );
    this.#decisions = new Decisions(this.#cluster.builder, this.#flows, logger);
    this.#scheduleCheck();
  }

  get table(): ServiceTable {
    return this.#cluster.builder.table;
  }

  get lastUpdated(): number | undefined {
    return this.#lastUpdated;
  }

  get pending(): Pending {
    return this.#pending.now;
  }

  get figures(): readonly BackendFigure[] {
    return this.#deps.backend.figures?.() ?? [];
  }

  refresh(): void {
    this.#cluster.refresh();
  }

  settled(): Promise<void> {
    return this.#reconciler.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cluster[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    await this.#reconciler[Symbol.asyncDispose]();
  }

  async #reconcile(): Promise<void> {
    if (!this.#cluster.synced) return;
    const { backend, logger } = this.#deps;
    const clock = this.#clock;
    const begun = clock.monotonic();
    const full = await this.#look();
    const pending = this.#pending.take();
    await this.#decisions.decide();
    const { changed } = this.#decisions;
    const { writes } = await backend.apply(this.table, changed).catch((error: unknown) => {
      this.#pending.giveBack(pending);
      throw error;
    });
    this.#decisions.taken(changed);
    for (const service of changed)
      this.#deps.healthChecks?.set(service, this.table.services.get(service)?.healthCheck);
    await this.#predecessors.retire(backend);
    const sweptFrom = this.#flows.isDue ? clock.monotonic() : undefined;
    const deletedFlows = await this.#flows.run(this.table);
    const flowSeconds = sweptFrom === undefined ? undefined : (clock.monotonic() - sweptFrom) / 1000;
    this.#lastUpdated = clock.now();
    if (writes > 0 || deletedFlows > 0)
      logger.debug('services programmed', { changed: changed.length, writes, deletedFlows });
    this.#deps.onSync?.({
      seconds: (clock.monotonic() - begun) / 1000,
      full,
      changedServices: changed.length,
      writes,
      deletedFlows,
      flowSeconds,
      queued: pending.since,
      serviceChanges: pending.services,
      endpointSliceChanges: pending.endpointSlices,
      programmingSeconds: pending.triggerTimes.map((time) => (clock.now() - time) / 1000),
      withoutLocalEndpoints: this.#decisions.withoutLocal,
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
