import type { EndpointSlice, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import type { ProxyBackend } from '../backend.ts';
import type { ServiceProxy } from '../proxy.ts';
import { createLabProxy } from './lab-proxy.ts';
import type { NamespaceLab } from './namespace-lab.ts';
import type { TestedMechanism } from './tested-mechanism.ts';

/** Objects that a proxy on the lab's node follows. */
export class LabCluster implements AsyncDisposable {
  readonly services = new MemoryInformer<Service>();
  readonly slices = new MemoryInformer<EndpointSlice>();
  readonly #lab: NamespaceLab;
  readonly #mechanism: TestedMechanism;
  #backend: ProxyBackend;
  #proxy: ServiceProxy;

  constructor(lab: NamespaceLab, mechanism: TestedMechanism) {
    this.#lab = lab;
    this.#mechanism = mechanism;
    [this.#backend, this.#proxy] = this.#start();
  }

  /** Makes a change and waits until it is in the kernel. */
  async change(change: () => void): Promise<void> {
    change();
    await this.#proxy.settled();
  }

  /** The agent ends and comes back; `meanwhile` happens between. */
  async restart(meanwhile: () => void): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]();
    await this.#backend[Symbol.asyncDispose]();
    meanwhile();
    [this.#backend, this.#proxy] = this.#start();
    await this.#proxy.settled();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]();
    await this.#backend.cleanup();
    await this.#backend[Symbol.asyncDispose]();
  }

  #start(): readonly [ProxyBackend, ServiceProxy] {
    const backend = this.#mechanism.create(this.#lab.node);
    const { services, slices: endpointSlices } = this;
    return [backend, createLabProxy(this.#lab, { services, endpointSlices, backend })];
  }
}
