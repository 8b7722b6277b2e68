import { deepEqual, objectReference, PODS, type Pod, REPLICA_SETS, type ReplicaSet } from '#kube-api';
import { unlessGone } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { eachKey, startKeyedController } from '../base/keyed-controller.ts';
import type { StoredPod } from '../base/pods.ts';
import { controllerReference, nameOf, type Stored, storedResource } from '../base/stored.ts';
import { ownerTriggers } from './owner-triggers.ts';
import { planReplicaSet } from './replicaset-plan.ts';

/** Keeps as many Pods as each ReplicaSet asks for. */
export function startReplicaSetController(context: ControllerContext): AsyncDisposable {
  const { client, clock, informers, events } = context;
  const { replicaSets, pods } = informers;

  async function reconcile(key: string): Promise<number | undefined> {
    const replicaSet = replicaSets.get(key);
    if (replicaSet === undefined) return undefined;
    const plan = planReplicaSet(
      replicaSet,
      pods.byIndex('namespace', replicaSet.metadata.namespace),
      clock.now(),
    );
    const owner = controllerReference(replicaSet);
    for (const pod of plan.adopt) await patchOwners(pod, [...(pod.metadata.ownerReferences ?? []), owner]);
    for (const pod of plan.release)
      await patchOwners(
        pod,
        (pod.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.uid),
      );
    try {
      await create(replicaSet, plan.create);
      await Promise.all(plan.remove.map((pod) => remove(replicaSet, pod)));
    } finally {
      await writeStatus(replicaSet, key);
    }
    return plan.lookAgainIn;
  }

  /** In growing batches: where the first Pod is refused, no thousand more are tried. */
  async function create(replicaSet: Stored<ReplicaSet>, count: number): Promise<void> {
    for (let done = 0, batch = 4; done < count; done += batch, batch *= 2) {
      const size = Math.min(batch, count - done);
      await Promise.all(Array.from({ length: size }, () => createPod(replicaSet)));
    }
  }

  async function createPod(replicaSet: Stored<ReplicaSet>): Promise<void> {
    try {
      const made = await client.create(storedResource(PODS), newPod(replicaSet) as StoredPod);
      pods.learn(made);
      events.record(
        objectReference(replicaSet),
        'Normal',
        'SuccessfulCreate',
        `Created pod: ${made.metadata.name}`,
      );
    } catch (error) {
      events.record(
        objectReference(replicaSet),
        'Warning',
        'FailedCreate',
        `Error creating: ${String(error)}`,
      );
      throw error;
    }
  }

  async function remove(replicaSet: Stored<ReplicaSet>, pod: StoredPod): Promise<void> {
    await unlessGone(async () => {
      await client.delete(PODS, nameOf(pod), { preconditions: { uid: pod.metadata.uid } });
      events.record(
        objectReference(replicaSet),
        'Normal',
        'SuccessfulDelete',
        `Deleted pod: ${pod.metadata.name}`,
      );
      // Until the informer hears of it, the Pod must not be counted, or another would be chosen in its place.
      pods.learn(await client.get(storedResource(PODS), nameOf(pod)));
    });
  }

  async function patchOwners(
    pod: StoredPod,
    ownerReferences: NonNullable<Pod['metadata']>['ownerReferences'],
  ) {
    const { uid } = pod.metadata;
    pods.learn(
      await client.patch(storedResource(PODS), nameOf(pod), 'merge', { metadata: { uid, ownerReferences } }),
    );
  }

  /** From what is known after the writes. */
  async function writeStatus(before: Stored<ReplicaSet>, key: string): Promise<void> {
    const replicaSet = replicaSets.get(key);
    if (replicaSet === undefined || replicaSet.metadata.uid !== before.metadata.uid) return;
    const known = pods.byIndex('namespace', replicaSet.metadata.namespace);
    const { status } = planReplicaSet(replicaSet, known, clock.now());
    if (deepEqual(status, replicaSet.status)) return;
    replicaSets.learn(await client.update(storedResource(REPLICA_SETS), { ...replicaSet, status }, 'status'));
  }

  return startKeyedController(context, 'replicaset', reconcile, (trigger) => {
    const { onChange } = ownerTriggers('ReplicaSet', replicaSets, trigger);
    return [eachKey(replicaSets, trigger), pods.onChange(onChange)];
  });
}

/** The Pod that the template describes; the server completes its name. */
function newPod(replicaSet: Stored<ReplicaSet>): Pod {
  const { metadata, spec } = replicaSet;
  const template = spec?.template;
  return {
    metadata: {
      generateName: `${metadata.name}-`,
      namespace: metadata.namespace,
      ...(template?.metadata?.labels === undefined ? {} : { labels: template.metadata.labels }),
      ...(template?.metadata?.annotations === undefined
        ? {}
        : { annotations: template.metadata.annotations }),
      ...(template?.metadata?.finalizers === undefined ? {} : { finalizers: template.metadata.finalizers }),
      ownerReferences: [controllerReference(replicaSet)],
    },
    spec: template?.spec ?? { containers: [] },
  };
}
