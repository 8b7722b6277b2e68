import assert from 'node:assert/strict';
import { PODS } from '#kube-api';
import { examplePath, type TestLab } from './lab.ts';
import { retry } from './retry.ts';

/** Starts the published nginx example, and a Pod `client` on node1; resolves when each nginx answers it. They have no probes: Ready says that they run. */
export async function startNginxAndClient(lab: TestLab): Promise<void> {
  await lab.kubectl('apply', '-f', examplePath('my-nginx.yaml'));
  const there = '--overrides={"spec":{"nodeName":"node1"}}';
  await lab.kubectl('run', 'client', '--image=busybox', there, '--', 'sleep', 'infinity');
  await lab.kubectl('rollout', 'status', 'deployment/my-nginx', '--timeout=60s');
  await lab.kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  const { items } = await lab.client.list(PODS, { namespace: 'default', labelSelector: 'run=my-nginx' });
  assert.equal(items.length, 2);
  for (const { status } of items)
    await retry(() => lab.execInPod('client', 'curl', '-sS', '-f', `http://${status?.podIP}`));
  await retry(() => lab.execInPod('client', 'curl', '-sS', '-f', 'http://my-nginx'));
}
