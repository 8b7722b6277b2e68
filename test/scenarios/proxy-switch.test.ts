import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import type { LabStatus } from '#lab';
import { TestLab } from './support/lab.ts';
import { lackingMechanisms } from './support/lacking-mechanisms.ts';
import { startNginxAndClient } from './support/nginx-and-client.ts';
import { PODWAY } from './support/program.ts';
import { SteadyClient } from './support/steady-client.ts';

suite('lab up --proxy on a lab that runs', () => {
  const lab = TestLab.ofSuite({ nodes: 2, flags: ['--proxy', 'nftables'] });
  before(() => startNginxAndClient(lab));

  async function modes(): Promise<readonly string[]> {
    const ask = (node: string) => lab.exec(node, 'curl', '-sS', '-f', 'http://127.0.0.1:10249/proxyMode');
    return await Promise.all(lab.up.nodes.map(({ name }) => ask(name)));
  }

  test('each node carries Services anew, and no request of a Pod fails meanwhile', async (t) => {
    const client = await SteadyClient.start(lab, 'client', 'http://my-nginx.default.svc.cluster.local');
    await client.requests(10);
    for (const mechanism of ['iptables', 'userspace', 'nftables']) {
      await lab.lab('up', '--proxy', mechanism);
      assert.deepEqual(await modes(), [mechanism, mechanism]);
      // Some requests of each mechanism's own.
      await client.requests(15);
    }
    const { failures, slowestMs } = await client.end();
    t.diagnostic(`the slowest request took ${slowestMs} ms`);
    assert.deepEqual(failures, []);
    const status = JSON.parse(await lab.lab('status', '-o', 'json')) as { options: { proxy: string } };
    assert.equal(status.options.proxy, 'nftables');
  });

  test('a mechanism that the machine lacks is refused before any agent is restarted', async (t) => {
    const lacking = lackingMechanisms(await lab.exec('node1', PODWAY, 'agent', '--probe'));
    const [missing] = lacking.keys();
    if (missing === undefined) return t.skip('this machine has all mechanisms');
    const restarts = async () => {
      const { processes } = JSON.parse(await lab.lab('status', '-o', 'json')) as Pick<LabStatus, 'processes'>;
      return processes.map(({ name, restarts }) => `${name} ${restarts}`);
    };
    const before = await restarts();
    await assert.rejects(lab.lab('up', '--proxy', missing), (error: Error) =>
      error.message.includes(`cannot carry Services by ${missing}; nothing was changed`),
    );
    assert.deepEqual(await restarts(), before);
    assert.deepEqual(await modes(), ['nftables', 'nftables']);
  });

  test('a mechanism that is none is refused, and another number of nodes', async () => {
    await assert.rejects(lab.lab('up', '--proxy', 'magic'), /Allowed choices are nftables/);
    await assert.rejects(lab.lab('up', '--nodes', '3'), /--nodes: invalid value 3: lab .* was made with 2/);
    assert.deepEqual(await modes(), ['nftables', 'nftables']);
  });
});
