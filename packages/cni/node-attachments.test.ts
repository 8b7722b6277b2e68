import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePrefix } from '#ip';
import { createLogger, FakeClock } from '#runtime';
import { addressRange } from './address-range.ts';
import type { Attachment } from './attachment.ts';
import { AttachmentStore } from './attachment-store.ts';
import type { DataPath } from './data-path.ts';
import type { HostPorts } from './host-ports.ts';
import { parseConfig } from './network-config.ts';
import { NodeAttachments } from './node-attachments.ts';

/** An ADD whose wiring fails, for a Pod with a host port. */
async function failingAdd(store: AttachmentStore, detach: () => Promise<void>) {
  let inKernel: readonly number[] = [];
  const logged: string[] = [];
  const hostPorts = {
    reconcile: async (read: () => readonly Attachment[]) => {
      inKernel = read().flatMap(({ portMappings }) => portMappings.map(({ hostPort }) => hostPort));
    },
  };
  const dataPath = {
    prepareNode: () => {},
    attach: async () => {
      // The ADD of another Pod, meanwhile.
      await hostPorts.reconcile(() => store.list());
      assert.deepEqual(inKernel, [8081]);
      throw new Error('no veth');
    },
    detach,
  };
  const attachments = new NodeAttachments({
    store,
    dataPath: dataPath as unknown as DataPath,
    hostPorts: hostPorts as unknown as HostPorts,
    clock: new FakeClock(),
    logger: createLogger((record) => logged.push(JSON.stringify(record))),
  });
  attachments.setNode({ ranges: [[addressRange(parsePrefix('10.244.1.0/24'))]], mtu: 1500 });
  const portMappings = [{ hostPort: 8081, containerPort: 80 }];
  const request = {
    key: { network: 'podway', containerId: 'a', ifName: 'eth0' },
    netns: '/run/netns/a',
    pod: undefined,
    config: parseConfig(
      JSON.stringify({ cniVersion: '1.1.0', name: 'podway', runtimeConfig: { portMappings } }),
    ),
  };
  await assert.rejects(attachments.add(request), /no veth/);
  return { inKernel, logged };
}

describe('NodeAttachments.add whose wiring fails', () => {
  test('takes back its host ports, which the ADD of another Pod put into the kernel meanwhile', async () => {
    using store = new AttachmentStore(':memory:');
    const { inKernel } = await failingAdd(store, async () => {});
    assert.deepEqual([inKernel, store.count()], [[], 0]);
  });

  test('tells why also when it cannot be taken back, and keeps the record that leads to what is left', async () => {
    using store = new AttachmentStore(':memory:');
    const { logged } = await failingAdd(store, () => Promise.reject(new Error('link busy')));
    assert.match(logged.join(), /cannot take back.*podway\/a\/eth0.*link busy/);
    assert.equal(store.count(), 1);
  });
});
