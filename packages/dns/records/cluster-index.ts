import type { IpAddress } from '#ip';
import type { EndpointSlice, Namespace, Pod, Service } from '#kube-api';
import { AddressOwners } from './address-owners.ts';
import { Epochs } from './epochs.ts';
import {
  clusterAddresses,
  isHeadless,
  type ServiceView,
  serviceView,
  sliceAddresses,
  tryParseIp,
} from './service-view.ts';

interface ServiceEntry {
  service: Service | undefined;
  /** By name of the slice, in the Service's namespace. */
  readonly slices: Map<string, EndpointSlice>;
  /** Made when first asked for after a change. */
  view: ServiceView | undefined;
}

interface PodKey {
  readonly namespace: string;
  readonly name: string;
}

/** All that DNS knows at one moment, as references. */
interface ClusterSnapshot {
  readonly services: readonly { readonly service: Service; readonly slices: readonly EndpointSlice[] }[];
  /** By address. */
  readonly pods: readonly (readonly [IpAddress, PodKey])[];
}

/**
 * The cluster's Services and EndpointSlices as DNS asks for them: by `namespace/name` and by address. Holds the
 * informers' objects, copies nothing, and does for one change what that change needs. Every change ends the epochs of
 * `service:NAMESPACE/NAME`, `namespace:NAMESPACE` and `address:IP` that it touches.
 */
export class ClusterIndex {
  readonly epochs: Epochs;
  readonly #services = new Map<string, ServiceEntry>();
  /** How much there is of a namespace: its object, and Services in it. */
  readonly #namespaces = new Map<string, number>();
  readonly #namespaceObjects = new Set<string>();
  readonly #clusterIps = new AddressOwners();
  readonly #endpointIps = new AddressOwners();
  readonly #pods = new Map<IpAddress, PodKey>();

  constructor(epochs: Epochs = new Epochs()) {
    this.epochs = epochs;
  }

  view(namespace: string, name: string): ServiceView | undefined {
    const entry = this.#services.get(`${namespace}/${name}`);
    if (entry?.service === undefined) return undefined;
    entry.view ??= serviceView(entry.service, entry.slices.values());
    return entry.view;
  }

  /** Whether there is such a namespace; where namespaces are not watched, one with a Service in it. */
  hasNamespace(namespace: string): boolean {
    return this.#namespaces.has(namespace);
  }

  /** The Services, as `namespace/name`, that have this cluster IP: one, but for a moment or a mistake. */
  servicesOfAddress(address: IpAddress): readonly string[] {
    return this.#clusterIps.get(address);
  }

  /** The Services that have an endpoint at this address, ready or not. */
  servicesOfEndpoint(address: IpAddress): readonly string[] {
    return this.#endpointIps.get(address);
  }

  /** The Pod with this address; hostNetwork Pods have none of their own. */
  podOfAddress(address: IpAddress): PodKey | undefined {
    return this.#pods.get(address);
  }

  /** What there is now. Later changes do not reach it: informers replace their objects and never write to them. */
  snapshot(): ClusterSnapshot {
    const services: { service: Service; slices: readonly EndpointSlice[] }[] = [];
    for (const { service, slices } of this.#services.values())
      if (service !== undefined) services.push({ service, slices: [...slices.values()] });
    return { services, pods: [...this.#pods] };
  }

  /** One change of the Services, as an informer reports it. */
  applyService(current: Service | undefined, old: Service | undefined): void {
    const { namespace = '', name = '' } = (current ?? old)?.metadata ?? {};
    const key = `${namespace}/${name}`;
    const entry = this.#entry(key);
    // The store's own state counts, not the event's: a listener that came late must not count twice.
    const before = entry.service;
    entry.service = current;
    entry.view = undefined;
    if ((before === undefined) !== (current === undefined))
      this.#countNamespace(namespace, current === undefined ? -1 : 1);
    for (const address of before === undefined ? [] : clusterAddresses(before)) {
      this.#clusterIps.remove(address, key);
      this.epochs.bump(`address:${address}`);
    }
    for (const address of current === undefined ? [] : clusterAddresses(current)) {
      this.#clusterIps.add(address, key);
      this.epochs.bump(`address:${address}`);
    }
    if (reverseDiffers(before, current))
      for (const slice of entry.slices.values())
        for (const address of sliceAddresses(slice)) this.epochs.bump(`address:${address}`);
    this.#forgetIfEmpty(key, entry);
    this.epochs.bump(`service:${key}`);
  }

  /** One change of the Namespaces. */
  applyNamespace(current: Namespace | undefined, old: Namespace | undefined): void {
    const name = (current ?? old)?.metadata?.name ?? '';
    if ((current !== undefined) === this.#namespaceObjects.has(name)) return;
    if (current === undefined) this.#namespaceObjects.delete(name);
    else this.#namespaceObjects.add(name);
    this.#countNamespace(name, current === undefined ? -1 : 1);
  }

  /** One change of the EndpointSlices. */
  applySlice(current: EndpointSlice | undefined, old: EndpointSlice | undefined): void {
    const name = (current ?? old)?.metadata?.name ?? '';
    // A slice may be given to another Service by a new label.
    for (const owner of new Set([serviceKeyOf(old), serviceKeyOf(current)])) {
      if (owner === undefined) continue;
      const entry = this.#entry(owner);
      const before = entry.slices.get(name);
      const after = serviceKeyOf(current) === owner ? current : undefined;
      if (before !== undefined) this.#removeAddresses(before, owner);
      if (after !== undefined) this.#addAddresses(after, owner);
      if (after === undefined) entry.slices.delete(name);
      else entry.slices.set(name, after);
      entry.view = undefined;
      this.#forgetIfEmpty(owner, entry);
      this.epochs.bump(`service:${owner}`);
    }
  }

  /** One change of the Pods. */
  applyPod(current: Pod | undefined, old: Pod | undefined): void {
    const { namespace = '', name = '' } = (current ?? old)?.metadata ?? {};
    for (const address of podAddresses(old)) {
      const holder = this.#pods.get(address);
      if (holder?.namespace === namespace && holder.name === name) this.#pods.delete(address);
      this.epochs.bump(`address:${address}`);
    }
    for (const address of podAddresses(current)) {
      this.#pods.set(address, { namespace, name });
      this.epochs.bump(`address:${address}`);
    }
  }

  #entry(key: string): ServiceEntry {
    let entry = this.#services.get(key);
    if (entry === undefined) {
      entry = { service: undefined, slices: new Map(), view: undefined };
      this.#services.set(key, entry);
    }
    return entry;
  }

  #forgetIfEmpty(key: string, entry: ServiceEntry): void {
    if (entry.service === undefined && entry.slices.size === 0) this.#services.delete(key);
  }

  #countNamespace(namespace: string, change: number): void {
    const count = (this.#namespaces.get(namespace) ?? 0) + change;
    if (count > 0) this.#namespaces.set(namespace, count);
    else this.#namespaces.delete(namespace);
    this.epochs.bump(`namespace:${namespace}`);
  }

  #addAddresses(slice: EndpointSlice, owner: string): void {
    for (const address of sliceAddresses(slice)) {
      this.#endpointIps.add(address, owner);
      this.epochs.bump(`address:${address}`);
    }
  }

  #removeAddresses(slice: EndpointSlice, owner: string): void {
    for (const address of sliceAddresses(slice)) {
      this.#endpointIps.remove(address, owner);
      this.epochs.bump(`address:${address}`);
    }
  }
}

function serviceKeyOf(slice: EndpointSlice | undefined): string | undefined {
  const name = slice?.metadata?.labels?.['kubernetes.io/service-name'];
  return name === undefined ? undefined : `${slice?.metadata?.namespace ?? ''}/${name}`;
}

/** Whether the PTR records of the Service's endpoints may have changed with the Service itself. */
function reverseDiffers(a: Service | undefined, b: Service | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  return (
    isHeadless(a) !== isHeadless(b) || a.spec?.publishNotReadyAddresses !== b.spec?.publishNotReadyAddresses
  );
}

function podAddresses(pod: Pod | undefined): readonly IpAddress[] {
  if (pod === undefined || pod.spec?.hostNetwork === true) return [];
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return [];
  const ips = pod.status?.podIPs?.map(({ ip }) => ip) ?? [pod.status?.podIP];
  return ips.map((ip) => tryParseIp(ip ?? '')).filter((ip) => ip !== undefined);
}
