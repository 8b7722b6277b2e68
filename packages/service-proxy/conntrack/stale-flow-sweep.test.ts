import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { IpAddress } from '#ip';
import type { ConntrackEntry } from '#kernel';
import {
  CLUSTER_IP,
  FACTS,
  NODE_ADDRESS,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
} from '../behaviour/cluster.ts';
import { frontendKey } from '../table/entry.ts';
import { buildTable, diffTables } from '../table/table.ts';
import { StaleFlowSweep } from './stale-flow-sweep.ts';

const PORT = { name: 'main', protocol: 'UDP' } as const;
const udpTable = (...endpoints: readonly ('b' | 'c')[]) =>
  buildTable(
    [service({ ports: [{ ...PORT, port: SERVICE_PORT }] })],
    [slice(endpoints, { ports: [{ ...PORT, port: TARGET_PORT }] })],
    FACTS,
  );

const flow = (destination: IpAddress, answeredBy: IpAddress): ConntrackEntry => ({
  original: {
    source: PODS.a,
    sourcePort: 4_000,
    destination,
    destinationPort: SERVICE_PORT,
    protocol: 17,
  },
  reply: {
    source: answeredBy,
    sourcePort: TARGET_PORT,
    destination: PODS.a,
    destinationPort: 4_000,
    protocol: 17,
  },
  mark: 0,
  status: 0,
  timeout: 30,
});

/** @param ownsFlow whether the mechanism says that flows are its own */
function given(flows: readonly ConntrackEntry[], ownsFlow = false) {
  const deleted: ConntrackEntry['original'][] = [];
  const kernel = { listed: 0, isBroken: false };
  const sweep = new StaleFlowSweep(
    {
      list: async ({ protocol } = {}) => {
        kernel.listed++;
        if (kernel.isBroken) throw new Error('the kernel says no');
        return flows.filter(({ original }) => original.protocol === protocol);
      },
      delete: ({ original }) => void deleted.push(original),
    },
    { ownsFlow: () => ownsFlow },
  );
  const change = (before: ReturnType<typeof udpTable>, after: ReturnType<typeof udpTable>) => {
    for (const each of diffTables(before, after)) sweep.note(each);
  };
  return { sweep, deleted, kernel, change };
}

describe('StaleFlowSweep', () => {
  const toB = flow(CLUSTER_IP, PODS.b);

  test('the first run looks; then only after a change that can strand a flow', async () => {
    const { sweep, deleted, kernel, change } = given([toB]);
    assert.equal(await sweep.run(udpTable('b')), 0);
    const { listed } = kernel;
    change(udpTable('b'), udpTable('b', 'c'));
    assert.deepEqual([sweep.isDue, await sweep.run(udpTable('b', 'c')), kernel.listed], [false, 0, listed]);
    change(udpTable('b', 'c'), udpTable('c'));
    assert.deepEqual([sweep.isDue, await sweep.run(udpTable('c'))], [true, 1]);
    assert.deepEqual(deleted, [toB.original]);
  });

  test('what an earlier life answered, and nobody does now, is looked for once', async () => {
    const toNode = flow(NODE_ADDRESS, PODS.b);
    const { sweep, deleted } = given([toNode]);
    await sweep.run(udpTable('b'));
    sweep.noteFormer([frontendKey(NODE_ADDRESS, 'UDP', SERVICE_PORT)]);
    assert.equal(await sweep.run(udpTable('b')), 1);
    assert.deepEqual(deleted, [toNode.original]);
    assert.equal(sweep.isDue, false);
  });

  test('a kernel that fails: it stays due, and knows what it was to look for', async () => {
    const { sweep, kernel, change } = given([toB]);
    await sweep.run(udpTable('b'));
    change(udpTable('b'), buildTable([], [], FACTS));
    kernel.isBroken = true;
    await assert.rejects(sweep.run(buildTable([], [], FACTS)), /says no/);
    kernel.isBroken = false;
    assert.equal(sweep.isDue, true);
    assert.equal(await sweep.run(buildTable([], [], FACTS)), 1);
  });

  test('a flow that leads to the mechanism itself stays', async () => {
    const { sweep } = given([toB], true);
    assert.equal(await sweep.run(udpTable('c')), 0);
  });
});
