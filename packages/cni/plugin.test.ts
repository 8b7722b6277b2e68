import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Kernel, NetworkNamespace } from '#kernel';
import { FakeClock, silentLogger } from '#runtime';
import { AttachmentStore } from './attachment-store.ts';
import { DataPath } from './data-path.ts';
import { HostPorts } from './host-ports.ts';
import { NodeAttachments } from './node-attachments.ts';
import { CniPlugin } from './plugin.ts';

const CONFIG = JSON.stringify({ cniVersion: '1.1.0', name: 'podway' });

/** A plugin on a node that knows nothing yet; the kernel is not reached before it does. */
function unreadyPlugin(store: AttachmentStore, executions: object[] = []) {
  const deleted: string[] = [];
  const node = {
    links: { deleteAsync: async (name: string) => deleted.push(name) },
  } as unknown as NetworkNamespace;
  const common = { clock: new FakeClock(), logger: silentLogger };
  const attachments = new NodeAttachments({
    store,
    dataPath: new DataPath({} as Kernel, node),
    hostPorts: new HostPorts(node, []),
    ...common,
  });
  const onExecuted = (execution: object) => executions.push(execution);
  return { plugin: new CniPlugin({ attachments, ...common, onExecuted }), deleted };
}

function environment(command: string): ReadonlyMap<string, string> {
  return new Map([
    ['CNI_COMMAND', command],
    ['CNI_CONTAINERID', 'a'],
    ['CNI_NETNS', '/run/netns/a'],
    ['CNI_IFNAME', 'eth0'],
  ]);
}

describe('CniPlugin before the node has Pod CIDRs', () => {
  const cases = [
    ['ADD', 11],
    ['STATUS', 50],
    ['CHECK', 3],
  ] as const;
  for (const [command, code] of cases)
    test(`${command}: error ${code}, and a metric`, async () => {
      using store = new AttachmentStore(':memory:');
      const executions: object[] = [];
      const { plugin } = unreadyPlugin(store, executions);
      const outcome = await plugin.execute({ environment: environment(command), input: CONFIG });
      assert.deepEqual([outcome.exitStatus, JSON.parse(outcome.output).code], [1, code]);
      assert.deepEqual(executions, [{ command, code, milliseconds: 0 }]);
    });

  test('DEL: succeeds, and takes away a link that no record names', async () => {
    using store = new AttachmentStore(':memory:');
    const { plugin, deleted } = unreadyPlugin(store);
    const outcome = await plugin.execute({ environment: environment('DEL'), input: CONFIG });
    assert.deepEqual(outcome, { exitStatus: 0, output: '' });
    assert.match(deleted.join(), /^pod([0-9a-f]{12}),ifb\1$/);
  });

  test('DEL: succeeds also with a configuration that ADD refuses', async () => {
    using store = new AttachmentStore(':memory:');
    const { plugin } = unreadyPlugin(store);
    const input = JSON.stringify({
      ...JSON.parse(CONFIG),
      runtimeConfig: { portMappings: [{}] },
      prevResult: 7,
    });
    const outcome = await plugin.execute({ environment: environment('DEL'), input });
    assert.deepEqual(outcome, { exitStatus: 0, output: '' });
  });
});
