import type { ConntrackPort } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { type Clock, type Logger, Reconciler, systemClock } from '#runtime';
import type { ProxyBackend } from './backend.ts';
import { canStrandFlows, FLOW_PROTOCOLS, goneFrontends, staleFlows } from './conntrack/stale-flows.ts';
import { type NodeSettings, nodeFacts } from './node-facts.ts';
import type { FrontendKey } from './table/entry.ts';
import { type ServiceTable, ServiceTableBuilder } from './table/table.ts';

export interface ServiceProxyDeps {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly backend: ProxyBackend;
  readonly conntrack: ConntrackPort;
  readonly logger: Logger;
  readonly clock?: Clock;
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
}

const COALESCE_MS = 2;
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
  readonly #builder: ServiceTableBuilder;
  readonly #reconciler: Reconciler;
  readonly #subscriptions: Disposable[] = [];
  /** Services whose decisions differ from what the backend last took. */
  readonly #changed = new Set<string>();
  /** Frontends that are answered no longer and whose flows have not been looked at. */
  readonly #gone = new Set<FrontendKey>();
  #flowsDue = true;
  #observed = false;
  #checkDue = false;
  #timer: Disposable | undefined;
  #lastUpdated: number | undefined;

  constructor(deps: ServiceProxyDeps, options: ServiceProxyOptions) {
    this.#deps = deps;
    this.#options = options;
    this.#clock = deps.clock ?? systemClock;
    this.#builder = new ServiceTableBuilder(this.#facts());
    this.#reconciler = new Reconciler(
      {
        name: 'service-proxy',
        logger: deps.logger,
        clock: this.#clock,
        coalesceMs: options.coalesceMs ?? COALESCE_MS,
      },
      () => this.#reconcile(),
    );
    const { services, endpointSlices, nodes } = deps;
    this.#follow(services, (key, service) => this.#builder.setService(key, service));
    this.#follow(endpointSlices, (key, slice) => this.#builder.setSlice(key, slice));
    this.#subscriptions.push(nodes.onChange((current, old) => this.#nodeChanged(current ?? old)));
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

  #nodeChanged(node: Node | undefined): void {
    if (node?.metadata?.name !== this.#options.nodeName) return;
    this.#builder.setFacts(this.#facts());
    if (this.#synced) this.#reconciler.trigger();
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
    if (!this.#observed) {
      const { frontends } = await backend.observe();
      for (const key of frontends) this.#gone.add(key);
      this.#observed = true;
      this.#flowsDue = true;
    } else if (this.#checkDue && !(await backend.intact())) {
      logger.warn('the proxy’s rules were removed or changed by someone else, writing them again');
      await backend.observe();
    }
    this.#checkDue = false;
    for (const change of this.#builder.commit()) {
      this.#changed.add(change.service);
      for (const key of goneFrontends(change)) this.#gone.add(key);
      this.#flowsDue ||= canStrandFlows(change);
      for (const problem of change.next?.problems ?? [])
        logger.warn('part of a Service cannot be used', { service: change.service, problem });
    }
    const taken = [...this.#changed];
    const { writes } = await backend.apply(this.table, taken);
    for (const service of taken) this.#changed.delete(service);
    if (this.#flowsDue) await this.#deleteStaleFlows();
    this.#lastUpdated = this.#clock.now();
    if (writes > 0) logger.debug('services programmed', { changed: taken.length, writes });
  }

  async #deleteStaleFlows(): Promise<void> {
    const { conntrack, logger } = this.#deps;
    let deleted = 0;
    for (const protocol of FLOW_PROTOCOLS.keys())
      for (const entry of staleFlows(await conntrack.list({ protocol }), this.table, this.#gone)) {
        conntrack.delete(entry);
        deleted++;
      }
    this.#gone.clear();
    this.#flowsDue = false;
    if (deleted > 0) logger.debug('stale flows deleted from conntrack', { deleted });
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
