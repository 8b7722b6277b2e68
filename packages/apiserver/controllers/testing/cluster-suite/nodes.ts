import assert from 'node:assert/strict';
import { EVENTS, NODES, PODS } from '#kube-api';
import { eventually } from '#runtime';
import type { Check } from './check.ts';
import { namespace } from './objects.ts';

/** Nodes: their networks, and which Pods they get. */
export function nodeChecks(check: Check): void {
  check('every node gets a network of each family', async ({ client }) => {
    const nodes = await eventually('networks', async () => {
      const { items } = await client.list(NODES);
      return items.every(({ spec }) => spec?.podCIDRs?.length === 2) && items;
    });
    assert.deepEqual(nodes.map(({ spec }) => spec?.podCIDR).toSorted(), [
      '10.244.0.0/24',
      '10.244.1.0/24',
      '10.244.2.0/24',
    ]);
    assert.match(nodes[0]?.spec?.podCIDRs?.[1] ?? '', /^fd00:10:244:\w*:?:\/64$/);
  });

  check('a Pod that no node suits waits, says why, and starts when one does', async ({ client }) => {
    await client.create(PODS, {
      metadata: { namespace, name: 'picky' },
      spec: { nodeSelector: { disk: 'fast' }, containers: [{ name: 'main', image: 'nginx' }] },
    });
    const event = await eventually('FailedScheduling', async () =>
      (await client.list(EVENTS, { namespace })).items.find(({ reason }) => reason === 'FailedScheduling'),
    );
    assert.equal(
      event.message,
      "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector.",
    );
    await client.patch(NODES, { name: 'node2' }, 'merge', { metadata: { labels: { disk: 'fast' } } });
    await eventually(
      'it runs',
      async () => (await client.get(PODS, { namespace, name: 'picky' })).spec?.nodeName === 'node2',
    );
  });
}
