import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODES, type Node } from '#kube-api';
import { FakeKubeClient } from '#kube-client';
import { FakeClock } from '#runtime';
import { forgetReadiness } from './cluster-watch.ts';
import { missingNodes } from './node-readiness.ts';

test('forgetReadiness: a stored Node is not Ready until its kubelet says so again', async () => {
  const client = new FakeKubeClient();
  const node: Node = {
    metadata: { name: 'node1' },
    spec: { podCIDR: '10.244.0.0/24' },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
  await client.create(NODES, node);
  await client.update(
    NODES,
    { ...(await client.get(NODES, { name: 'node1' })), status: node.status ?? {} },
    'status',
  );
  const nodes = async () => (await client.list(NODES)).items;
  assert.deepEqual(missingNodes(['node1'], await nodes()), []);
  await forgetReadiness(client, new FakeClock(Date.UTC(2026, 0, 2)));
  assert.deepEqual(missingNodes(['node1'], await nodes()), ['node1 is not Ready: the lab was stopped']);
});
