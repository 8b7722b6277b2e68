import { formatTime, NODES, PODS } from '#kube-api';
import { createInformer, isConflict, isNotFound, type KubeClient } from '#kube-client';
import type { StoredPod } from '../base/pods.ts';
import { asStored, nameOf, type Stored, storedResource } from '../base/stored.ts';

export interface FakeKubelets extends AsyncDisposable {
  /** Pods for whose name this is true never become ready. */
  failing: (pod: StoredPod) => boolean;
  /** Pods that are to end keep running until this is false. */
  slowToEnd: boolean;
}

/** Nodes whose Pods run the moment they are bound, and end the moment they are told to. */
export async function startFakeKubelets(client: KubeClient, names: readonly string[]): Promise<FakeKubelets> {
  for (const name of names) {
    await client.create(NODES, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
    const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady' }];
    await client.patch(NODES, { name }, 'merge', { status: { conditions } }, 'status');
  }
  const pods = createInformer(client, storedResource(PODS), { transform: asStored(PODS) });
  const work = new Set<Promise<void>>();
  let addresses = 0;
  const kubelets: FakeKubelets = {
    failing: () => false,
    slowToEnd: false,
    async [Symbol.asyncDispose]() {
      await pods[Symbol.asyncDispose]();
      await Promise.all(work);
    },
  };

  async function sync(pod: StoredPod): Promise<void> {
    if (!pod.spec?.nodeName) return;
    if (pod.metadata.deletionTimestamp !== undefined) {
      if (!kubelets.slowToEnd) await client.delete(PODS, nameOf(pod), { gracePeriodSeconds: 0 });
      return;
    }
    if (pod.status?.phase !== 'Pending') return;
    const now = formatTime(Date.now());
    const ready = kubelets.failing(pod) ? 'False' : 'True';
    const ip = `10.244.0.${++addresses}`;
    const conditions = [{ type: 'Ready', status: ready, lastTransitionTime: now }];
    const status = { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions, startTime: now };
    await client.patch(storedResource(PODS), nameOf(pod), 'merge', { status }, 'status');
  }

  pods.onChange((pod: Stored<StoredPod> | undefined) => {
    if (pod === undefined) return;
    const done = sync(pod)
      .catch((error: unknown) => {
        if (!isNotFound(error) && !isConflict(error)) throw error;
      })
      .finally(() => work.delete(done));
    work.add(done);
  });
  await pods.synced;
  return kubelets;
}
