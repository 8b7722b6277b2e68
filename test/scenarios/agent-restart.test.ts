import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { TestLab } from './support/lab.ts';
import { AGENT, killProcess } from './support/lab-processes.ts';
import { startNginxAndClient } from './support/nginx-and-client.ts';
import { retry } from './support/retry.ts';
import { SteadyClient } from './support/steady-client.ts';

suite('an agent killed with -9', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });

  before(() => startNginxAndClient(lab));

  test('traffic through a Service goes on, and the agent comes back', async () => {
    const client = await SteadyClient.start(lab, 'client', 'http://my-nginx.default.svc.cluster.local');
    await client.requests(25);
    await killProcess(lab, AGENT);
    await retry(() => lab.exec('node1', 'curl', '-sS', '-f', 'http://127.0.0.1:10256/healthz'));
    await client.requests(25);
    assert.deepEqual((await client.end()).failures, []);
  });

  test('the restarted agent follows changes: a new Pod starts on its node and answers', async () => {
    await lab.kubectl('run', 'late', '--image=nginx', '--overrides={"spec":{"nodeName":"node1"}}');
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/late', '--timeout=60s');
    const ip = await lab.kubectl('get', 'pod', 'late', '-o', 'jsonpath={.status.podIP}');
    await retry(async () =>
      assert.match(await lab.execInPod('client', 'curl', '-sS', `http://${ip}`), /Welcome to nginx/),
    );
  });
});
