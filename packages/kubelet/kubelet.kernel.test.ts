import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { PODS } from '#kube-api';
import { isReady, startTestNode } from './testing/test-node.ts';

test('Kubelet: runs a Pod, reports it ready with its address, and deletes it', async () => {
  await using node = await startTestNode();
  await node.createPod('web', { containers: [{ name: 'main', image: 'sleep' }] });
  const pod = await node.waitFor('web', isReady);
  assert.equal(pod?.status?.phase, 'Running');
  assert.match(pod?.status?.podIP ?? '', /^10\.9\.0\.\d+$/);
  assert.match(pod?.status?.containerStatuses?.[0]?.containerID ?? '', /^podway:\/\/[0-9a-f]{64}$/);
  await node.client.delete(PODS, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 1 });
  await node.waitFor('web', (found) => found === undefined);
  const calls = readFileSync(join(node.cniState, 'calls'), 'utf8');
  assert.match(calls, /ADD [0-9a-f]{64} IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;/);
  assert.match(calls, /DEL with prevResult/);
  const events = await node.events();
  for (const reason of ['Pulled', 'Created', 'Started', 'Killing'])
    assert.ok(
      events.some((event) => event.startsWith(`${reason} `)),
      `${reason} in ${events.join('\n')}`,
    );
});
