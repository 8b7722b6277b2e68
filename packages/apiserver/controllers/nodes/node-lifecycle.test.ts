import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NODES, PODS } from '#kube-api';
import { FakeKubeClient, isNotFound } from '#kube-client';
import { eventually, silentLogger, systemClock } from '#runtime';
import { startControllers } from '../start-controllers.ts';
import { startFakeKubelets } from '../testing/fake-kubelets.ts';

const name = { namespace: 'default', name: 'p' };

function start(client: FakeKubeClient, evictionMs: number): AsyncDisposable {
  const config = { podCidrs: [], rootCa: '', nodeGraceMs: 200, evictionMs };
  return startControllers({ client, clock: systemClock, logger: silentLogger, config });
}

async function runPod(client: FakeKubeClient): Promise<void> {
  await client.create(PODS, { metadata: name, spec: { nodeName: 'node1', containers: [] } });
  await eventually('it runs', async () => (await client.get(PODS, name)).status?.phase === 'Running');
}

test('startNodeLifecycleController: a silent node becomes unknown and tainted, and its Pods not ready', async () => {
  const client = new FakeKubeClient();
  await using _kubelets = await startFakeKubelets(client, ['node1']);
  await runPod(client);
  await using _controllers = start(client, 3_600_000);
  const node = await eventually('it is unreachable', async () => {
    const held = await client.get(NODES, { name: 'node1' });
    return held.spec?.taints?.length === 2 && held;
  });
  assert.equal(node.status?.conditions?.[0]?.status, 'Unknown');
  assert.equal(node.spec?.taints?.[0]?.key, 'node.kubernetes.io/unreachable');
  const pod = await eventually('the Pod is not ready', async () => {
    const held = await client.get(PODS, name);
    return held.status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'False') && held;
  });
  assert.equal(pod.metadata?.deletionTimestamp, undefined);
  let beats = 0;
  await eventually('heartbeats make it good again', async () => {
    const conditions = [{ type: 'Ready', status: 'True', lastHeartbeatTime: String(beats++) }];
    await client.patch(NODES, { name: 'node1' }, 'merge', { status: { conditions } }, 'status');
    const held = await client.get(NODES, { name: 'node1' });
    return (held.spec?.taints ?? []).length === 0;
  });
});

test('startNodeLifecycleController: Pods of a node that stays away are sent away', async () => {
  const client = new FakeKubeClient();
  await using _kubelets = await startFakeKubelets(client, ['node1']);
  await runPod(client);
  await using _controllers = start(client, 0);
  await eventually('it is gone', () => gone(client));
});

test('startNodeLifecycleController: Pods of a node that was deleted are removed, though no kubelet ends them', async () => {
  const client = new FakeKubeClient();
  await using kubelets = await startFakeKubelets(client, ['node1']);
  await runPod(client);
  await using _controllers = start(client, 3_600_000);
  kubelets.slowToEnd = true;
  await client.delete(NODES, { name: 'node1' });
  await eventually('it is gone', () => gone(client));
});

async function gone(client: FakeKubeClient): Promise<boolean> {
  try {
    await client.get(PODS, name);
    return false;
  } catch (error) {
    return isNotFound(error);
  }
}
