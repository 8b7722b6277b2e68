import assert from 'node:assert/strict';
import { DEPLOYMENTS, EVENTS, PODS, REPLICA_SETS } from '#kube-api';
import { eventually } from '#runtime';
import type { Check } from './check.ts';
import { complete, deployment, namespace, podsOf, setImage } from './objects.ts';

/** Deployments, their ReplicaSets and Pods. */
export function deploymentChecks(check: Check): void {
  check(
    'a Deployment becomes Pods spread over the nodes, and says that it is complete',
    async ({ client }) => {
      await client.create(DEPLOYMENTS, deployment('web', 6));
      const done = await complete(client, 'web', 6);
      const pods = await podsOf(client, 'web');
      assert.deepEqual(
        countBy(pods, ({ spec }) => spec?.nodeName ?? ''),
        { node1: 2, node2: 2, node3: 2 },
      );
      assert.equal(done.metadata?.annotations?.['deployment.kubernetes.io/revision'], '1');
      const conditions = (done.status?.conditions ?? []).map(
        ({ type, status, reason }) => `${type} ${status} ${reason}`,
      );
      assert.deepEqual(conditions.toSorted(), [
        'Available True MinimumReplicasAvailable',
        'Progressing True NewReplicaSetAvailable',
      ]);
      assert.equal(done.status?.unavailableReplicas, undefined);
    },
  );

  check('no Pod too many is ever made', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 20));
    await complete(client, 'web', 20);
    const { items } = await client.list(EVENTS, { namespace });
    const created = items.filter(
      ({ reason, involvedObject }) => reason === 'SuccessfulCreate' && involvedObject.kind === 'ReplicaSet',
    );
    assert.equal(created.length, 20);
  });

  check('a new template rolls out, keeps history, and can be undone', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 4));
    await complete(client, 'web', 4);
    await setImage(client, 'web', 'nginx:2');
    await eventually('all Pods are new', async () => {
      const pods = await podsOf(client, 'web');
      return pods.length === 4 && pods.every(({ spec }) => spec?.containers[0]?.image === 'nginx:2');
    });
    assert.equal(
      (await complete(client, 'web', 4)).metadata?.annotations?.['deployment.kubernetes.io/revision'],
      '2',
    );
    await setImage(client, 'web', 'nginx:1');
    await eventually('revision 3', async () => {
      const held = await client.get(DEPLOYMENTS, { namespace, name: 'web' });
      return held.metadata?.annotations?.['deployment.kubernetes.io/revision'] === '3';
    });
    await complete(client, 'web', 4);
    const { items } = await client.list(REPLICA_SETS, { namespace });
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.annotations?.['deployment.kubernetes.io/revision']).toSorted(),
      ['2', '3'],
    );
  });

  check('a rollout whose Pods fail leaves the old ones serving', async ({ client, kubelets }) => {
    await client.create(DEPLOYMENTS, deployment('web', 4));
    await complete(client, 'web', 4);
    kubelets.failing = ({ spec }) => spec?.containers[0]?.image === 'broken';
    await setImage(client, 'web', 'broken');
    const stuck = await eventually('the rollout is stuck', async () => {
      const held = await client.get(DEPLOYMENTS, { namespace, name: 'web' });
      return (
        held.status?.updatedReplicas === 2 &&
        held.status.observedGeneration === held.metadata?.generation &&
        held
      );
    });
    assert.equal(stuck.status?.availableReplicas, 3);
    assert.equal(stuck.status?.replicas, 5);
  });

  check('Recreate starts nothing new before the old is gone', async ({ client, kubelets }) => {
    await client.create(DEPLOYMENTS, { ...deployment('web', 2, { strategy: { type: 'Recreate' } }) });
    await complete(client, 'web', 2);
    kubelets.slowToEnd = true;
    await setImage(client, 'web', 'nginx:2');
    await eventually('the old end', async () =>
      (await podsOf(client, 'web')).every(({ metadata }) => metadata?.deletionTimestamp !== undefined),
    );
    assert.equal((await client.list(REPLICA_SETS, { namespace })).items.length, 1);
    kubelets.slowToEnd = false;
    for (const { metadata } of await podsOf(client, 'web'))
      await client.delete(PODS, { namespace, name: metadata?.name ?? '' }, { gracePeriodSeconds: 0 });
    await complete(client, 'web', 2);
    assert.equal((await client.list(REPLICA_SETS, { namespace })).items.length, 2);
  });

  check('scaling goes up and down, and a deleted Pod is replaced', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 2));
    await complete(client, 'web', 2);
    await client.patch(DEPLOYMENTS, { namespace, name: 'web' }, 'merge', { spec: { replicas: 5 } });
    await complete(client, 'web', 5);
    await client.patch(DEPLOYMENTS, { namespace, name: 'web' }, 'merge', { spec: { replicas: 1 } });
    await complete(client, 'web', 1);
    const [only] = await podsOf(client, 'web');
    await client.delete(PODS, { namespace, name: only?.metadata?.name ?? '' });
    await eventually('another Pod', async () => {
      const [pod] = await podsOf(client, 'web');
      return (
        pod !== undefined && pod.metadata?.uid !== only?.metadata?.uid && pod.status?.phase === 'Running'
      );
    });
  });

  check(
    'a Pod that loses its labels is let go and replaced, one that gains them is adopted',
    async ({ client }) => {
      await client.create(DEPLOYMENTS, deployment('web', 1));
      await complete(client, 'web', 1);
      const [first] = await podsOf(client, 'web');
      const name = { namespace, name: first?.metadata?.name ?? '' };
      await client.patch(PODS, name, 'merge', { metadata: { labels: { app: 'debug' } } });
      await eventually(
        'it is released',
        async () =>
          (await client.get(PODS, name)).metadata?.ownerReferences === undefined ||
          (await client.get(PODS, name)).metadata?.ownerReferences?.length === 0,
      );
      await eventually('it is replaced', async () => (await podsOf(client, 'web')).length === 1);
      await client.patch(PODS, name, 'merge', { metadata: { labels: { app: 'web' } } });
      await eventually('one of two goes', async () => {
        const pods = await podsOf(client, 'web');
        return pods.length === 1 && pods[0]?.metadata?.ownerReferences?.length === 1;
      });
    },
  );
}

function countBy<T>(items: readonly T[], of: (item: T) => string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[of(item)] = (counts[of(item)] ?? 0) + 1;
  return counts;
}
