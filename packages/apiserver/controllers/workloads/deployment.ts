import {
  controllerOf,
  DEPLOYMENTS,
  type Deployment,
  deepEqual,
  matchesLabelSelector,
  objectReference,
  REPLICA_SETS,
  type ReplicaSet,
} from '#kube-api';
import { isAlreadyExists, unlessGone } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { eachKey, startKeyedController } from '../base/keyed-controller.ts';
import { controllerReference, nameOf, type Stored, storedResource } from '../base/stored.ts';
import { planDeployment, REVISION, type ReplicaSetChange } from './deployment-plan.ts';
import { ownerTriggers } from './owner-triggers.ts';
import { sameTemplate } from './template-hash.ts';

/** Rolls each Deployment's Pod template out over ReplicaSets. */
export function startDeploymentController(context: ControllerContext): AsyncDisposable {
  const { client, clock, informers, events } = context;
  const { deployments, replicaSets, pods } = informers;

  async function reconcile(key: string): Promise<number | undefined> {
    const deployment = deployments.get(key);
    if (deployment === undefined) return undefined;
    await adopt(deployment);
    const owned = replicaSets.byIndex('controller', deployment.metadata.uid);
    const theirs = owned.flatMap((one) => pods.byIndex('controller', one.metadata.uid));
    const plan = planDeployment(deployment, owned, theirs, clock.now());
    if (plan.create !== undefined) await create(deployment, plan.create);
    for (const change of plan.change) await resize(deployment, change);
    for (const one of plan.remove) await remove(one);
    if (plan.revision !== undefined) {
      const metadata = { annotations: { [REVISION]: plan.revision } };
      deployments.learn(
        await client.patch(storedResource(DEPLOYMENTS), nameOf(deployment), 'merge', { metadata }),
      );
    }
    await writeStatus(key, deployment);
    return plan.lookAgainIn;
  }

  /** ReplicaSets without a controller that the selector matches become ours. */
  async function adopt(deployment: Stored<Deployment>): Promise<void> {
    if (deployment.metadata.deletionTimestamp !== undefined) return;
    for (const one of replicaSets.byIndex('namespace', deployment.metadata.namespace)) {
      const { ownerReferences = [], labels, uid, deletionTimestamp } = one.metadata;
      const ours = controllerOf(one) === undefined && matchesLabelSelector(deployment.spec?.selector, labels);
      if (!ours || deletionTimestamp !== undefined) continue;
      const metadata = { uid, ownerReferences: [...ownerReferences, controllerReference(deployment)] };
      replicaSets.learn(await client.patch(storedResource(REPLICA_SETS), nameOf(one), 'merge', { metadata }));
    }
  }

  async function create(deployment: Stored<Deployment>, replicaSet: ReplicaSet): Promise<void> {
    try {
      const made = await client.create(storedResource(REPLICA_SETS), replicaSet as Stored<ReplicaSet>);
      replicaSets.learn(made);
      const { replicas = 1 } = made.spec ?? {};
      if (replicas > 0) tellScaling(deployment, made, 0, replicas);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await resolveCollision(deployment, replicaSet);
    }
  }

  /** The name is taken: by our own write that we had not heard of, or by another template of the same hash. */
  async function resolveCollision(deployment: Stored<Deployment>, replicaSet: ReplicaSet): Promise<void> {
    const { namespace } = deployment.metadata;
    const name = replicaSet.metadata?.name ?? '';
    const held = await client.get(storedResource(REPLICA_SETS), { namespace, name });
    const ours = controllerOf(held)?.uid === deployment.metadata.uid;
    if (ours && sameTemplate(held.spec?.template, deployment.spec?.template)) return replicaSets.learn(held);
    const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
    const status = { ...deployment.status, collisionCount };
    deployments.learn(await client.update(storedResource(DEPLOYMENTS), { ...deployment, status }, 'status'));
  }

  async function resize(
    deployment: Stored<Deployment>,
    { replicaSet, replicas, annotations }: ReplicaSetChange,
  ): Promise<void> {
    const { resourceVersion } = replicaSet.metadata;
    const body = { metadata: { resourceVersion, annotations }, spec: { replicas } };
    replicaSets.learn(await client.patch(storedResource(REPLICA_SETS), nameOf(replicaSet), 'merge', body));
    const before = replicaSet.spec?.replicas ?? 1;
    if (before !== replicas) tellScaling(deployment, replicaSet, before, replicas);
  }

  function tellScaling(
    deployment: Stored<Deployment>,
    { metadata }: Stored<ReplicaSet>,
    from: number,
    to: number,
  ) {
    const direction = to > from ? 'up' : 'down';
    const message = `Scaled ${direction} replica set ${metadata.name} from ${from} to ${to}`;
    events.record(objectReference(deployment), 'Normal', 'ScalingReplicaSet', message);
  }

  async function remove(replicaSet: Stored<ReplicaSet>): Promise<void> {
    await unlessGone(async () => {
      const { uid } = replicaSet.metadata;
      await client.delete(REPLICA_SETS, nameOf(replicaSet), { preconditions: { uid } });
    });
  }

  /** From what is known after the writes. */
  async function writeStatus(key: string, before: Stored<Deployment>): Promise<void> {
    const deployment = deployments.get(key);
    if (deployment === undefined || deployment.metadata.uid !== before.metadata.uid) return;
    const owned = replicaSets.byIndex('controller', deployment.metadata.uid);
    const { status } = planDeployment(deployment, owned, [], clock.now());
    if (deepEqual(status, deployment.status)) return;
    deployments.learn(await client.update(storedResource(DEPLOYMENTS), { ...deployment, status }, 'status'));
  }

  return startKeyedController(context, 'deployment', reconcile, (trigger) => {
    const { ownerOf, onChange } = ownerTriggers('Deployment', deployments, trigger);
    return [
      eachKey(deployments, trigger),
      replicaSets.onChange(onChange),
      // Recreate waits for the old Pods to be gone.
      pods.onChange((current, old) => {
        const owner = current === undefined && old !== undefined ? controllerOf(old) : undefined;
        if (owner?.kind === 'ReplicaSet')
          ownerOf(replicaSets.get(`${old?.metadata.namespace}/${owner.name}`));
      }),
    ];
  });
}
