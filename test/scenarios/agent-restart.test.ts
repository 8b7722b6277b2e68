import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { after, before, suite, test } from 'node:test';
import { eventually } from './support/eventually.ts';
import { examplePath, PODWAY, startLab, type TestLab } from './support/lab.ts';

/** One request every 20 ms through the Service, each on a connection of its own; prints what came of them. */
const CLIENT = `
  const http = require('node:http');
  const [url, count] = process.argv.slice(1);
  const failures = [];
  let done = 0, started = 0;
  const timer = setInterval(() => {
    if (++started >= Number(count)) clearInterval(timer);
    const request = http.get(url, { agent: false, timeout: 2000 }, (response) => {
      response.resume();
      response.on('end', () => finish(response.statusCode === 200 ? undefined : 'status ' + response.statusCode));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => finish(error.message));
  }, 20);
  function finish(failure) {
    if (failure !== undefined) failures.push(failure);
    if (++done === Number(count)) console.log(JSON.stringify({ done, failures }));
  }
`;

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
    const [program = '', ...args] = lab.account.command([
      PODWAY,
      'lab',
      'exec',
      '--name',
      lab.name,
      '-n',
      'default',
      'client',
      '--',
      process.execPath,
      '-e',
      CLIENT,
      'http://my-nginx.default.svc.cluster.local',
      '300',
    ]);
    const client = spawn(program, args, { env: lab.account.env, stdio: ['ignore', 'pipe', 'inherit'] });
    const report = text(client.stdout);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await lab.exec('node1', 'kill', '-9', before);
    await eventually(async () => assert.notEqual(await agentPid(), before));
    await once(client, 'close');
    assert.deepEqual(JSON.parse(await report), { done: 300, failures: [] });
  });

  test('the restarted agent follows changes: a new Pod starts on its node and answers', async () => {
    await lab.kubectl('run', 'late', '--image=nginx', '--overrides={"spec":{"nodeName":"node1"}}');
    await lab.kubectl('wait', '--for=condition=Ready', 'pod/late', '--timeout=30s');
    const ip = await lab.kubectl('get', 'pod', 'late', '-o', 'jsonpath={.status.podIP}');
    assert.match(await lab.execInPod('client', 'curl', '-sS', '-m', '5', `http://${ip}`), /Welcome to nginx/);
  });
});
