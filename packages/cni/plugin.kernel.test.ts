import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { startCniNode } from './fixture.ts';

const CONFIG = { cniVersion: '1.1.0', name: 'podway', type: 'podway' };

function pod(name: string, command: string, extra: Readonly<Record<string, string>> = {}) {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: name,
    CNI_NETNS: `/run/netns/${name}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/opt/cni/bin',
    ...extra,
  };
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

describe('CNI executable, agent and kernel', () => {
  let node: Awaited<ReturnType<typeof startCniNode>>;
  before(async () => {
    node = await startCniNode({ podCidrs: ['10.244.1.0/24', 'fd00:244:1::/64'] });
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
  });

  test('ADD, CHECK, DEL: two Pods reach each other and the node, then nothing is left', async () => {
    for (const name of ['a', 'b']) node.kernel.createNetns(`/run/netns/${name}`)[Symbol.dispose]();
    const results = [];
    for (const name of ['a', 'b']) {
      const { exitStatus, output } = await node.run(pod(name, 'ADD'), CONFIG);
      assert.equal(exitStatus, 0, output);
      results.push(JSON.parse(output));
    }
    assert.deepEqual(
      results.map(({ ips }) => ips.map((each: { address: string }) => each.address)),
      [
        ['10.244.1.2/32', 'fd00:244:1::2/128'],
        ['10.244.1.3/32', 'fd00:244:1::3/128'],
      ],
    );
    for (const target of ['10.244.1.3', '10.244.1.1', 'fd00:244:1::3', 'fd00:244:1::1'])
      ip('netns', 'exec', 'a', 'ping', '-c1', '-W2', target);
    const check = await node.run(pod('a', 'CHECK'), { ...CONFIG, prevResult: results[0] });
    assert.deepEqual(check, { exitStatus: 0, output: '' });
    for (const name of ['a', 'b', 'a'])
      assert.deepEqual(await node.run(pod(name, 'DEL'), CONFIG), { exitStatus: 0, output: '' });
    assert.equal(node.store.count(), 0);
    assert.deepEqual(
      node.node.links.list().map((link) => link.name),
      ['lo', 'cni0'],
    );
    for (const name of ['a', 'b']) node.kernel.deleteNetns(`/run/netns/${name}`);
  });
});
