import assert from 'node:assert/strict';
import { DEPLOYMENTS, PODS, REPLICA_SETS } from '#kube-api';
import { eventually } from '#runtime';
import type { Check } from './check.ts';
import { complete, deployment, gone, namespace, podsOf } from './objects.ts';

/** What goes with its owner. */
export function deletionChecks(check: Check): void {
  for (const propagationPolicy of ['Background', 'Foreground'] as const)
    check(`a Deployment deleted in the ${propagationPolicy} takes all with it`, async ({ client }) => {
      await client.create(DEPLOYMENTS, deployment('web', 2));
      await complete(client, 'web', 2);
      await client.delete(DEPLOYMENTS, { namespace, name: 'web' }, { propagationPolicy });
      await eventually('everything is gone', async () => {
        const left = await Promise.all([
          client.list(DEPLOYMENTS, { namespace }),
          client.list(REPLICA_SETS, { namespace }),
          client.list(PODS, { namespace }),
        ]);
        return left.every(({ items }) => items.length === 0);
      });
    });

  check('a Deployment deleted as Orphan leaves its ReplicaSet and Pods', async ({ client }) => {
    await client.create(DEPLOYMENTS, deployment('web', 2));
    await complete(client, 'web', 2);
    await client.delete(DEPLOYMENTS, { namespace, name: 'web' }, { propagationPolicy: 'Orphan' });
    await eventually('the Deployment is gone', () =>
      gone(client.get(DEPLOYMENTS, { namespace, name: 'web' })),
    );
    const { items } = await client.list(REPLICA_SETS, { namespace });
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.ownerReferences?.length ?? 0),
      [0],
    );
    assert.equal((await podsOf(client, 'web')).length, 2);
  });
}
