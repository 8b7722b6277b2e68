import type { Pod } from '#kube-api';
import { PodWorker, type PodWorkerDeps } from './pod-worker.ts';

/** A worker for each Pod of a node. */
export class PodWorkers implements Disposable {
  readonly #deps: PodWorkerDeps;
  /** By the Pod's uid. */
  readonly #workers = new Map<string, PodWorker>();

  constructor(deps: PodWorkerDeps) {
    this.#deps = deps;
  }

  all(): readonly PodWorker[] {
    return [...this.#workers.values()];
  }

  find(namespace: string, name: string): PodWorker | undefined {
    return this.all().find(({ pod }) => pod.metadata?.namespace === namespace && pod.metadata.name === name);
  }

  /** A change as an informer tells it; a Pod that takes another one's name is another Pod. */
  changed(current: Pod | undefined, old: Pod | undefined): void {
    const oldUid = old?.metadata?.uid;
    if (oldUid !== undefined && oldUid !== current?.metadata?.uid) this.#workers.get(oldUid)?.vanished();
    if (current !== undefined) this.#see(current);
  }

  /** Stops looking after all of them, without ending any. */
  [Symbol.dispose](): void {
    for (const worker of this.#workers.values()) worker[Symbol.dispose]();
  }

  #see(pod: Pod): void {
    const uid = pod.metadata?.uid ?? '';
    const worker = this.#workers.get(uid);
    if (worker !== undefined) worker.update(pod);
    else if (!isFinished(pod) || pod.metadata?.deletionTimestamp !== undefined) this.#start(uid, pod);
  }

  #start(uid: string, pod: Pod): void {
    const worker = new PodWorker(pod, this.#deps, () => {
      this.#workers.delete(uid);
      worker[Symbol.dispose]();
    });
    this.#workers.set(uid, worker);
  }
}

/** What an earlier life of the kubelet has brought to its end; there is nothing to do until it is deleted. */
function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed';
}
