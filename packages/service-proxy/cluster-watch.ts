import type { EndpointSlice, Node, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { type NodeSettings, nodeAddresses, nodeFacts } from './node-facts.ts';
import type { PendingChanges } from './pending-changes.ts';
import { TRIGGER_TIME_ANNOTATION } from './sync-report.ts';
import { ServiceTableBuilder } from './table/table.ts';

export interface ClusterWatchDeps {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  readonly pending: PendingChanges;
}

/** Follows what Services depend on, and has it in a table's builder, where it is due to be decided. */
export class ClusterWatch implements Disposable {
  readonly builder: ServiceTableBuilder;
  readonly #deps: ClusterWatchDeps;
  readonly #nodeName: string;
  readonly #settings: NodeSettings;
  readonly #onChange: () => void;
  readonly #subscriptions: Disposable[] = [];

  /** @param onChange called once everything has synced, and for every change from then on that may make a difference */
  constructor(deps: ClusterWatchDeps, nodeName: string, settings: NodeSettings, onChange: () => void) {
    this.#deps = deps;
    this.#nodeName = nodeName;
    this.#settings = settings;
    this.#onChange = onChange;
    this.builder = new ServiceTableBuilder(this.#facts());
    const { services, endpointSlices, nodes, pending } = deps;
    this.#follow(services, (key, service) => {
      this.builder.setService(key, service);
      if (this.synced) pending.addService();
    });
    this.#follow(endpointSlices, (key, slice) => {
      this.builder.setSlice(key, slice);
      if (this.synced) pending.addEndpointSlice(triggerTimes(slice));
    });
    for (const node of nodes.list()) this.#nodeChanged(node, undefined);
    this.#subscriptions.push(nodes.onChange((current, old) => this.#nodeChanged(current, old)));
    void Promise.all([services.synced, endpointSlices.synced, nodes.synced]).then(
      () => onChange(),
      () => {}, // the informer was disposed before it synced; so are we
    );
  }

  /** Whether all that the API has is known: before, a Service may seem to be missing. */
  get synced(): boolean {
    const { services, endpointSlices, nodes } = this.#deps;
    return services.hasSynced && endpointSlices.hasSynced && nodes.hasSynced;
  }

  /** Takes the node's facts anew: from its Node object, and from what the settings' functions give. */
  refresh(): void {
    this.builder.setFacts(this.#facts());
    this.#changed();
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }

  #changed(): void {
    if (this.synced) this.#onChange();
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
        this.#changed();
      }),
    );
  }

  #nodeChanged(current: Node | undefined, old: Node | undefined): void {
    const name = (current ?? old)?.metadata?.name ?? '';
    if (name === this.#nodeName) this.refresh();
    else {
      const addresses = current === undefined ? [] : nodeAddresses(current, 'InternalIP', 'ExternalIP');
      if (this.builder.setOtherNode(name, addresses)) this.#changed();
    }
  }

  #facts() {
    return nodeFacts(this.#nodeName, this.#deps.nodes.get(this.#nodeName), this.#settings);
  }
}

/** When the slice's Pods changed, as its annotation says, milliseconds since the epoch. */
function triggerTimes(slice: EndpointSlice | undefined): readonly number[] {
  const time = Date.parse(slice?.metadata?.annotations?.[TRIGGER_TIME_ANNOTATION] ?? '');
  return Number.isNaN(time) ? [] : [time];
}
