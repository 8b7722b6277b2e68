import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, EPOCH, pod, replicaSet } from '../testing/objects.ts';
import { planReplicaSet } from './replicaset-plan.ts';

const owner = replicaSet('web-1', { replicas: 3 });
const own = (name: string, traits = {}) => pod(name, { owner, ...traits });
const other = { labels: { app: 'other' } };
const ending = { deletionTimestamp: at(0) };

test('planReplicaSet: how many to make and to remove', () => {
  const table = [
    ['none yet', [], 3, 0],
    ['one missing', [own('a'), own('b')], 1, 0],
    ['as wanted', [own('a'), own('b'), own('c')], 0, 0],
    ['two too many', ['a', 'b', 'c', 'd', 'e'].map((name) => own(name)), 0, 2],
    ['one ends', [own('a'), own('b'), own('c', { metadata: { ...ending, labels: { app: 'web' } } })], 1, 0],
    ['one failed', [own('a'), own('b'), own('c', { phase: 'Failed' })], 1, 0],
    ['one finished', [own('a'), own('b'), own('c', { phase: 'Succeeded' })], 1, 0],
    ['another owner has it', [own('a'), own('b'), pod('c', { owner: replicaSet('else') })], 1, 0],
  ] as const;
  for (const [what, pods, create, remove] of table) {
    const plan = planReplicaSet(owner, pods, EPOCH);
    assert.deepEqual([plan.create, plan.remove.length], [create, remove], what);
  }
});

test('planReplicaSet: adopts orphans that match, releases Pods that no longer do', () => {
  const orphan = pod('orphan');
  const stray = own('stray', { metadata: { ...other } });
  const strangers = [pod('x', { metadata: other }), pod('ended', { phase: 'Failed' })];
  const plan = planReplicaSet(owner, [orphan, stray, ...strangers], EPOCH);
  assert.deepEqual(plan.adopt, [orphan]);
  assert.deepEqual(plan.release, [stray]);
  assert.equal(plan.create, 2);
});

test('planReplicaSet: one that is being deleted makes, removes and adopts nothing', () => {
  const going = replicaSet('web-1', { metadata: ending });
  const plan = planReplicaSet(going, [pod('orphan')], EPOCH);
  assert.deepEqual([plan.adopt, plan.create, plan.remove], [[], 0, []]);
});

test('planReplicaSet: counts, and when to look again for what is not available yet', () => {
  const slow = replicaSet('web-1', { spec: { minReadySeconds: 10 } });
  const pods = [
    own('long', { readySince: -20 }),
    own('just', { readySince: -4 }),
    own('now', { readySince: 0 }),
    own('not'),
  ];
  const plan = planReplicaSet(slow, pods, EPOCH);
  assert.deepEqual(plan.status, {
    replicas: 4,
    fullyLabeledReplicas: 4,
    readyReplicas: 3,
    availableReplicas: 1,
    observedGeneration: 1,
  });
  assert.equal(plan.lookAgainIn, 6000);
});
