import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, EPOCH, node, pod } from '../testing/objects.ts';
import { heartbeatOf, planNodeHealth } from './node-health-plan.ts';

const config = { graceMs: 40_000, evictionMs: 300_000 };
const plan = (one: ReturnType<typeof node>, silentFor = 0, pods: Parameters<typeof planNodeHealth>[1] = []) =>
  planNodeHealth(one, pods, EPOCH - silentFor, EPOCH, config);
const ready = (status: string) => ({ status: { conditions: [{ type: 'Ready', status }] } });
const taint = (key: string, effect: string, seconds: number) => ({
  key: `node.kubernetes.io/${key}`,
  effect,
  timeAdded: at(seconds),
});
const texts = (taints: ReturnType<typeof plan>['taints']) =>
  taints?.map(({ key, effect }) => `${key.replace('node.kubernetes.io/', '')} ${effect}`);

test('planNodeHealth: a node that speaks is left alone, and looked at again when its grace is over', () => {
  const { conditions, taints, evict, lookAgainIn } = plan(node('n'), 10_000);
  assert.deepEqual([conditions, taints, evict, lookAgainIn], [undefined, undefined, [], 30_000]);
});

test('planNodeHealth: a silent node’s conditions become unknown', () => {
  const silent = plan(node('n'), 40_000);
  assert.deepEqual(silent.conditions, [
    {
      type: 'Ready',
      status: 'Unknown',
      reason: 'NodeStatusUnknown',
      message: 'Kubelet stopped posting node status.',
      lastTransitionTime: at(0),
    },
  ]);
  assert.deepEqual(texts(silent.taints), ['unreachable NoSchedule', 'unreachable NoExecute']);
});

test('planNodeHealth: taints follow the Ready condition and the cordon; those of others stay', () => {
  const own = { key: 'mine', effect: 'NoSchedule' };
  const table = [
    ['not ready', node('n', ready('False')), ['not-ready NoSchedule', 'not-ready NoExecute']],
    ['cordoned', node('n', { spec: { unschedulable: true } }), ['unschedulable NoSchedule']],
    [
      'ready again',
      node('n', { spec: { taints: [own, taint('not-ready', 'NoExecute', -9)] } }),
      ['mine NoSchedule'],
    ],
    ['as it should be', node('n', { spec: { taints: [own] } }), undefined],
    ['only just come', node('n', { status: {} }), undefined],
  ] as const;
  for (const [what, one, expected] of table) assert.deepEqual(texts(plan(one).taints), expected, what);
});

test('planNodeHealth: a taint that stays keeps its time', () => {
  const held = [taint('not-ready', 'NoSchedule', -50), taint('not-ready', 'NoExecute', -50)];
  assert.equal(plan(node('n', { ...ready('False'), spec: { taints: held } })).taints, undefined);
});

test('planNodeHealth: who is sent away, and when', () => {
  const tainted = (seconds: number) =>
    node('n', {
      ...ready('False'),
      spec: { taints: [taint('not-ready', 'NoSchedule', seconds), taint('not-ready', 'NoExecute', seconds)] },
    });
  const tolerant = (tolerationSeconds?: number) =>
    pod('p', {
      spec: {
        tolerations: [
          {
            key: 'node.kubernetes.io/not-ready',
            operator: 'Exists',
            ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
          },
        ],
      },
    });
  const table = [
    ['says nothing, early', pod('p'), -299, 0],
    ['says nothing, late', pod('p'), -300, 1],
    ['tolerates for ten seconds', tolerant(10), -11, 1],
    ['tolerates for ever', tolerant(), -9999, 0],
    ['goes already', pod('p', { metadata: { deletionTimestamp: at(-1) } }), -999, 0],
  ] as const;
  for (const [what, one, since, evicted] of table)
    assert.equal(plan(tainted(since), 0, [one]).evict.length, evicted, what);
});

test('planNodeHealth: a NoExecute taint of somebody else acts at once', () => {
  const drained = node('n', { spec: { taints: [{ key: 'drain', effect: 'NoExecute' }] } });
  assert.equal(plan(drained, 0, [pod('p')]).evict.length, 1);
});

test('planNodeHealth: of a silent node’s Pods nobody knows whether they are ready', () => {
  const pods = [pod('ready', { readySince: 0 }), pod('not')];
  assert.deepEqual(
    plan(node('n'), 40_000, pods).unknown.map(({ metadata }) => metadata.name),
    ['ready'],
  );
  assert.deepEqual(plan(node('n', ready('False')), 0, pods).unknown, []);
});

test('heartbeatOf: changes with the Lease and with what the kubelet reports, not with our own writes', () => {
  const lease = (renewTime: string) => ({ metadata: node('n').metadata, spec: { renewTime } });
  const beat = heartbeatOf(node('n'), lease(at(0)));
  assert.equal(heartbeatOf(node('n', { spec: { unschedulable: true } }), lease(at(0))), beat);
  assert.notEqual(heartbeatOf(node('n'), lease(at(1))), beat);
  assert.notEqual(heartbeatOf(node('n', ready('False')), lease(at(0))), beat);
});
