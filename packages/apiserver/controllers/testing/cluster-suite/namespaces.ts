import assert from 'node:assert/strict';
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS } from '#kube-api';
import { eventually } from '#runtime';
import type { Check } from './check.ts';
import { deployment, gone } from './objects.ts';

/** What namespaces get, and that they go. */
export function namespaceChecks(check: Check): void {
  check(
    'every namespace gets its service account and root certificate, also when they are taken away',
    async ({ client }) => {
      await client.create(NAMESPACES, { metadata: { name: 'team' } });
      const account = { namespace: 'team', name: 'default' };
      const root = { namespace: 'team', name: 'kube-root-ca.crt' };
      await eventually('service account', () => client.get(SERVICE_ACCOUNTS, account));
      assert.equal(
        (await eventually('root', () => client.get(CONFIG_MAPS, root))).data?.['ca.crt'],
        'ROOT CA',
      );
      const before = await client.get(SERVICE_ACCOUNTS, account);
      await client.delete(SERVICE_ACCOUNTS, account);
      await eventually(
        'again',
        async () => (await client.get(SERVICE_ACCOUNTS, account)).metadata?.uid !== before.metadata?.uid,
      );
    },
  );

  check('a deleted namespace is emptied and goes', async ({ client }) => {
    await client.create(NAMESPACES, { metadata: { name: 'team' } });
    await client.create(DEPLOYMENTS, {
      ...deployment('web', 2),
      metadata: { namespace: 'team', name: 'web' },
    });
    await eventually(
      'Pods run',
      async () =>
        (await client.list(PODS, { namespace: 'team' })).items.filter(
          ({ status }) => status?.phase === 'Running',
        ).length === 2,
    );
    await client.delete(NAMESPACES, { name: 'team' });
    await eventually('it is gone', () => gone(client.get(NAMESPACES, { name: 'team' })));
    assert.equal((await client.list(PODS, { namespace: 'team' })).items.length, 0);
  });
}
