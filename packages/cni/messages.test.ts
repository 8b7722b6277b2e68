import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePrefix } from '#ip';
import { type FakeKernel, fakeKernel } from '#kernel';
import { FakeClock, silentLogger } from '#runtime';
import { addressRange } from './address-range.ts';
import { AttachmentStore } from './attachment-store.ts';
import { DataPath } from './data-path.ts';
import { HostPorts } from './host-ports.ts';
import { NodeAttachments } from './node-attachments.ts';
import { CniPlugin } from './plugin.ts';

class FullDisk extends AttachmentStore {
  override reserve(): never {
    // As node:sqlite says it.
    throw Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 });
  }
}

const CONFIG = JSON.stringify({ cniVersion: '1.1.0', name: 'podway' });
const ADD = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'a',
  CNI_NETNS: '/run/netns/a',
  CNI_IFNAME: 'eth0',
};

interface Given {
  readonly kernel: FakeKernel;
  readonly attachments: NodeAttachments;
  readonly plugin: CniPlugin;
}

function given(store: AttachmentStore): Given {
  const kernel = fakeKernel();
  const node = kernel.currentNetns();
  const common = { clock: new FakeClock(), logger: silentLogger };
  const attachments = new NodeAttachments({
    store,
    dataPath: new DataPath(kernel, node),
    hostPorts: new HostPorts(node, []),
    ...common,
  });
  return { kernel, attachments, plugin: new CniPlugin({ attachments, ...common }) };
}

/** @returns `code message` */
async function failure(plugin: CniPlugin, environment: object, input = CONFIG): Promise<string> {
  const { exitStatus, output } = await plugin.execute({
    environment: new Map(Object.entries(environment)),
    input,
  });
  assert.equal(exitStatus, 1);
  const { code, msg } = JSON.parse(output);
  return `${code} ${msg}`;
}

describe('what the plugin says', () => {
  const ready = ({ attachments, kernel }: Given) => {
    attachments.setNode({ ranges: [[addressRange(parsePrefix('10.244.1.0/24'))]], mtu: 1500 });
    return kernel;
  };

  test('before the node has a Pod CIDR', async () => {
    using store = new AttachmentStore(':memory:');
    const { plugin } = given(store);
    assert.equal(await failure(plugin, ADD), '11 the node has no Pod CIDR yet');
    assert.equal(await failure(plugin, { CNI_COMMAND: 'STATUS' }), '50 the node has no Pod CIDR yet');
  });

  test('to input that is not JSON', async () => {
    using store = new AttachmentStore(':memory:');
    assert.equal(
      await failure(given(store).plugin, ADD, '{'),
      '6 the network configuration on standard input is not JSON',
    );
  });

  test('when the namespace is gone, and nothing is left of the try', async () => {
    using store = new AttachmentStore(':memory:');
    const node = given(store);
    ready(node);
    assert.equal(
      await failure(node.plugin, ADD),
      '3 CNI_NETNS: cannot open the network namespace /run/netns/a',
    );
    assert.equal(store.count(), 0);
  });

  test('when the kernel refuses, and nothing is left of the try', async () => {
    using store = new AttachmentStore(':memory:');
    const node = given(store);
    const kernel = ready(node);
    kernel.createNetns('/run/netns/a');
    kernel.currentNetns().links.delete('cni0');
    assert.match(
      await failure(node.plugin, ADD),
      /^999 the kernel refused: .*pod.*ENODEV: there is no link cni0/,
    );
    assert.equal(store.count(), 0);
  });

  test('to a command that the version of the configuration does not have', async () => {
    using store = new AttachmentStore(':memory:');
    const { plugin } = given(store);
    for (const [command, version] of [
      ['CHECK', '0.3.1'],
      ['GC', '1.0.0'],
      ['STATUS', '1.0.0'],
    ])
      assert.equal(
        await failure(
          plugin,
          { ...ADD, CNI_COMMAND: command },
          JSON.stringify({ cniVersion: version, name: 'podway' }),
        ),
        `1 cniVersion: "${version}" is not supported for ${command}`,
      );
  });

  test('STATUS: nothing while Pods can be added; when the bridge is down or gone; when no address is left', async () => {
    using store = new AttachmentStore(':memory:');
    const { attachments, plugin, kernel } = given(store);
    attachments.setNode({ ranges: [[addressRange(parsePrefix('10.244.1.0/30'))]], mtu: 1500 });
    const environment = new Map([['CNI_COMMAND', 'STATUS']]);
    const status = () => plugin.execute({ environment, input: CONFIG });
    assert.deepEqual(await status(), { exitStatus: 0, output: '' });
    kernel.createNetns('/run/netns/a');
    const add = await plugin.execute({ environment: new Map(Object.entries(ADD)), input: CONFIG });
    assert.equal(add.exitStatus, 0, add.output);
    assert.equal(
      await failure(plugin, { CNI_COMMAND: 'STATUS' }),
      '50 no address is left in 10.244.1.0/30 (1 of 1 used)',
    );
    const { links } = kernel.currentNetns();
    links.set('cni0', { up: false });
    assert.equal(await failure(plugin, { CNI_COMMAND: 'STATUS' }), "51 the node's bridge cni0 is down");
    links.delete('cni0');
    assert.equal(await failure(plugin, { CNI_COMMAND: 'STATUS' }), "51 the node's bridge cni0 is gone");
  });

  test('when the disk is full', async () => {
    using store = new FullDisk(':memory:');
    const node = given(store);
    ready(node);
    assert.equal(
      await failure(node.plugin, ADD),
      '5 the agent cannot write its state: database or disk is full',
    );
  });
});
