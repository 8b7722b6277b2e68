import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePrefix } from '#ip';
import { type FakeKernel, fakeKernel } from '#kernel';
import { FakeClock, silentLogger } from '#runtime';
import { addressRange } from './address-range.ts';
import { AttachmentStore } from './attachment-store.ts';
import { DataPath } from './data-path.ts';
import { HostPorts } from './host-ports.ts';
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
  readonly plugin: CniPlugin;
}

function given(store: AttachmentStore): Given {
  const kernel = fakeKernel();
  const node = kernel.currentNetns();
  const plugin = new CniPlugin({
    store,
    dataPath: new DataPath(kernel, node),
    hostPorts: new HostPorts(node),
    clock: new FakeClock(),
    logger: silentLogger,
  });
  return { kernel, plugin };
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
  const ready = ({ plugin, kernel }: Given) => {
    plugin.setNode({ ranges: [[addressRange(parsePrefix('10.244.1.0/24'))]], mtu: 1500 });
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
