import type { Container, Pod } from '#kube-api';
import type { ContainerStartContext } from './container-context.ts';
import type { ManagedContainer } from './managed-container.ts';
import type { ContainerView } from './pod-view.ts';
import { dueToStart } from './start-order.ts';

type Manage = (container: Container, kind: ContainerView['kind']) => ManagedContainer;

/** The containers of one Pod: started and ended in their order. */
export class PodContainers {
  readonly #manage: Manage;
  #all: readonly ManagedContainer[];

  constructor(pod: Pod, manage: Manage) {
    this.#manage = manage;
    this.#all = [
      ...(pod.spec?.initContainers ?? []).map((container) =>
        manage(container, container.restartPolicy === 'Always' ? 'sidecar' : 'init'),
      ),
      ...(pod.spec?.containers ?? []).map((container) => manage(container, 'app')),
    ];
    this.addEphemeral(pod);
  }

  get all(): readonly ManagedContainer[] {
    return this.#all;
  }

  /** Debugging containers (`kubectl debug`) come while the Pod runs; none of them goes. */
  addEphemeral(pod: Pod): void {
    const known = new Set(this.#all.map(({ name }) => name));
    const added = (pod.spec?.ephemeralContainers ?? []).filter(({ name }) => !known.has(name));
    this.#all = [...this.#all, ...added.map((container) => this.#manage(container, 'ephemeral'))];
  }

  /** Starts those whose turn it is. Resolves to the milliseconds after which to ask again, if so. */
  async start(makeContext: () => Promise<ContainerStartContext>): Promise<number | undefined> {
    const due = dueToStart(this.#all);
    const again = await Promise.all(due.map((container) => container.ensureStarted(makeContext)));
    const times = again.filter((ms) => ms !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /**
   * Ends all for good, side by side, then the sidecars in reverse.
   * @param deadline aborted when what still runs is to be killed
   */
  async stop(graceMs: number, deadline: AbortSignal): Promise<void> {
    const stop = (container: ManagedContainer) =>
      container.stop(`Stopping container ${container.name}`, graceMs, deadline);
    const sidecars = this.#all.filter(({ kind }) => kind === 'sidecar');
    await Promise.all(this.#all.filter(({ kind }) => kind !== 'sidecar').map(stop));
    for (const sidecar of sidecars.toReversed()) await stop(sidecar);
  }

  removeLogs(): void {
    for (const container of this.#all) container.removeLogs();
  }
}
