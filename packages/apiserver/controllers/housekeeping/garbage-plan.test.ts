import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, OwnerReference } from '#kube-api';
import { controllerReference, type Stored } from '../base/stored.ts';
import { at, pod, replicaSet } from '../testing/objects.ts';
import { planGarbage } from './garbage-plan.ts';

const owner = replicaSet('owner');
const other = replicaSet('other');
const owned = (...owners: readonly Stored<KubeObject>[]) =>
  pod('p', { metadata: { ownerReferences: owners.map(controllerReference) } });
const existing =
  (...objects: readonly Stored<KubeObject>[]) =>
  ({ uid }: OwnerReference) =>
    objects.some(({ metadata }) => metadata.uid === uid);
const going = (...finalizers: string[]) =>
  replicaSet('owner', { metadata: { deletionTimestamp: at(0), finalizers } });

test('planGarbage: an object goes with the last of its owners', () => {
  assert.equal(planGarbage(owned(owner, other), [], existing(owner, other)).self, 'keep');
  assert.deepEqual(planGarbage(owned(owner, other), [], existing(other)).self, {
    ownerReferences: [controllerReference(other)],
  });
  assert.equal(planGarbage(owned(owner, other), [], existing()).self, 'delete');
  assert.equal(planGarbage(pod('free'), [], existing()).self, 'keep');
});

test('planGarbage: Foreground waits for those that block', () => {
  const dependent = owned(owner);
  const first = planGarbage(going('foregroundDeletion', 'mine'), [dependent], existing());
  assert.deepEqual([first.deleteFirst, first.finalizers], [[dependent], undefined]);
  const ending = pod('p', { metadata: { ...dependent.metadata, deletionTimestamp: at(0) } });
  const second = planGarbage(going('foregroundDeletion', 'mine'), [ending], existing());
  assert.deepEqual([second.deleteFirst, second.finalizers], [[], undefined]);
  const last = planGarbage(going('foregroundDeletion', 'mine'), [], existing());
  assert.deepEqual(last.finalizers, ['mine']);
});

test('planGarbage: a dependent that does not block is deleted but not waited for', () => {
  const loose = pod('p', {
    metadata: { ownerReferences: [{ ...controllerReference(owner), blockOwnerDeletion: false }] },
  });
  const plan = planGarbage(going('foregroundDeletion'), [loose], existing());
  assert.deepEqual([plan.deleteFirst, plan.finalizers], [[loose], []]);
});

test('planGarbage: Orphan first lets go of all, then of the object', () => {
  const dependent = owned(owner);
  const first = planGarbage(going('orphan'), [dependent], existing());
  assert.deepEqual([first.orphan, first.finalizers], [[dependent], undefined]);
  assert.deepEqual(planGarbage(going('orphan'), [], existing()).finalizers, []);
});

test('planGarbage: finalizers of others are none of our business', () => {
  assert.equal(planGarbage(going('mine'), [owned(owner)], existing()).finalizers, undefined);
});
