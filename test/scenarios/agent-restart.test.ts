import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { examplePath, startLab, type TestLab } from './support/lab.ts';
import { startSteadyClient } from './support/steady-client.ts';

suite('an agent killed with -9', () => {
  let lab: TestLab;

  before(async () => {
    lab = await startLab({ nodes: 2 });
    await lab.kubectl('apply', '-f', examplePath('my-nginx.yaml'));
    await lab.kubectl(
      'run',
      'client',
      '--image=busybox',
      '--overrides={"spec":{"nodeName":"node1"}}',
      '--',
      'sleep',
      'infinity',
    );
    await lab.kubectl('rollout', 'status', 'deployment/my-nginx', '--timeout=30s');
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=30s');
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  /** The agent's PID as seen in the lab, by its command line. */
  async function agentPid(): Promise<string> {
    const found = await lab.exec('node1', 'pgrep', '-af', 'agent .*--node-name node1 ');
    const pids = [...found.matchAll(/^(\d+) .*node/gm)].map((match) => match[1]);
    assert.equal(pids.length, 1, found);
    return pids[0] ?? '';
  }

  test('traffic through a Service goes on, and the agent comes back', async () => {
    const before = await agentPid();
    const end = startSteadyClient(lab, 'client', 'http://my-nginx.default.svc.cluster.local');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await lab.exec('node1', 'kill', '-9', before);
    await eventually(async () => assert.notEqual(await agentPid(), before));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const { done, failures } = await end();
    assert.deepEqual(failures, []);
    assert.ok(done > 50, `${done} requests`);
  });

  test('the restarted agent follows changes: a new Pod starts on its node and answers', async () => {
    await lab.kubectl('run', 'late', '--image=nginx', '--overrides={"spec":{"nodeName":"node1"}}');
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/late', '--timeout=30s');
    const ip = await lab.kubectl('get', 'pod', 'late', '-o', 'jsonpath={.status.podIP}');
    assert.match(await lab.execInPod('client', 'curl', '-sS', '-m', '5', `http://${ip}`), /Welcome to nginx/);
  });
});
