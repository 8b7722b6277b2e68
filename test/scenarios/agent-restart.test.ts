import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { examplePath, TestLab } from './support/lab.ts';
import { AGENT, killProcess } from './support/lab-processes.ts';
import { SteadyClient } from './support/steady-client.ts';

suite('an agent killed with -9', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });

  before(async () => {
    await lab.kubectl('apply', '-f', examplePath('my-nginx.yaml'));
    const there = '--overrides={"spec":{"nodeName":"node1"}}';
    await lab.kubectl('run', 'client', '--image=busybox', there, '--', 'sleep', 'infinity');
    await lab.kubectl('rollout', 'status', 'deployment/my-nginx', '--timeout=60s');
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s');
  });

  test('traffic through a Service goes on, and the agent comes back', async () => {
    const client = await SteadyClient.start(lab, 'client', 'http://my-nginx.default.svc.cluster.local');
    await client.requests(25);
    await killProcess(lab, AGENT);
    await eventually(() => lab.exec('node1', 'curl', '-sS', '-f', 'http://127.0.0.1:10256/healthz'));
    await client.requests(25);
    assert.deepEqual((await client.end()).failures, []);
  });

  test('the restarted agent follows changes: a new Pod starts on its node and answers', async () => {
    await lab.kubectl('run', 'late', '--image=nginx', '--overrides={"spec":{"nodeName":"node1"}}');
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/late', '--timeout=60s');
    const ip = await lab.kubectl('get', 'pod', 'late', '-o', 'jsonpath={.status.podIP}');
    assert.match(await lab.execInPod('client', 'curl', '-sS', '-m', '5', `http://${ip}`), /Welcome to nginx/);
  });
});
