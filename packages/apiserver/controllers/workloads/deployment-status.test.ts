import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeploymentStatus } from '#kube-api';
import { at, deployment, EPOCH, replicaSet } from '../testing/objects.ts';
import { deadlineIn, deploymentStatus } from './deployment-status.ts';

const verdicts = ({ conditions = [] }: DeploymentStatus) =>
  Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
const fresh = (available: number) => replicaSet('web-1', { available });
const progressing = (reason: string, seconds: number, status = 'True') => ({
  observedGeneration: 1,
  replicas: 3,
  updatedReplicas: 3,
  conditions: [
    {
      type: 'Progressing',
      status,
      reason,
      message: 'm',
      lastUpdateTime: at(seconds),
      lastTransitionTime: at(seconds),
    },
  ],
});

test('deploymentStatus: counts over all ReplicaSets, zeros left out', () => {
  const all = [replicaSet('old', { replicas: 2 }), replicaSet('new', { replicas: 1, available: 0 })];
  const { conditions: _, ...counts } = deploymentStatus(deployment(), all[1], all, EPOCH);
  assert.deepEqual(counts, {
    observedGeneration: 1,
    replicas: 3,
    updatedReplicas: 1,
    readyReplicas: 2,
    availableReplicas: 2,
    unavailableReplicas: 1,
  });
});

test('deploymentStatus: what Available and Progressing say', () => {
  const table = [
    ['complete', {}, undefined, 3, 'True MinimumReplicasAvailable', 'True NewReplicaSetAvailable'],
    ['under way', {}, undefined, 1, 'False MinimumReplicasUnavailable', 'True ReplicaSetUpdated'],
    ['paused', { paused: true }, undefined, 3, 'True MinimumReplicasAvailable', 'Unknown DeploymentPaused'],
    [
      'late',
      {},
      progressing('ReplicaSetUpdated', -601),
      0,
      'False MinimumReplicasUnavailable',
      'False ProgressDeadlineExceeded',
    ],
    [
      'not late yet',
      {},
      progressing('ReplicaSetUpdated', -599),
      0,
      'False MinimumReplicasUnavailable',
      'True ReplicaSetUpdated',
    ],
    [
      'late, but one became ready',
      {},
      progressing('ReplicaSetUpdated', -601),
      1,
      'False MinimumReplicasUnavailable',
      'True ReplicaSetUpdated',
    ],
    [
      'a Pod fails after the end',
      {},
      progressing('NewReplicaSetAvailable', -999),
      2,
      'False MinimumReplicasUnavailable',
      'True NewReplicaSetAvailable',
    ],
    [
      'complete after all',
      {},
      progressing('ProgressDeadlineExceeded', -999, 'False'),
      3,
      'True MinimumReplicasAvailable',
      'True NewReplicaSetAvailable',
    ],
  ] as const;
  for (const [what, spec, status, available, expectedAvailable, expectedProgressing] of table) {
    const goal = deployment(spec, status === undefined ? {} : { status });
    const found = verdicts(deploymentStatus(goal, fresh(available), [fresh(available)], EPOCH));
    assert.deepEqual(found, { Available: expectedAvailable, Progressing: expectedProgressing }, what);
  }
});

test('deploymentStatus: a new template begins a new rollout', () => {
  const goal = deployment(
    {},
    { metadata: { generation: 2 }, status: progressing('NewReplicaSetAvailable', -999) },
  );
  assert.equal(
    verdicts(deploymentStatus(goal, fresh(0), [fresh(0)], EPOCH))['Progressing'],
    'True ReplicaSetUpdated',
  );
});

test('deploymentStatus: without a deadline nothing is said of progress', () => {
  const { progressDeadlineSeconds: _, ...spec } = deployment().spec ?? { selector: {}, template: {} };
  const found = deploymentStatus({ ...deployment(), spec }, fresh(0), [fresh(0)], EPOCH);
  assert.deepEqual(Object.keys(verdicts(found)), ['Available']);
});

test('deploymentStatus: conditions that say the same keep their times', () => {
  const first = deploymentStatus(deployment(), fresh(3), [fresh(3)], EPOCH);
  const again = deploymentStatus(deployment({}, { status: first }), fresh(3), [fresh(3)], EPOCH + 60_000);
  assert.deepEqual(again, first);
});

test('deadlineIn: only a rollout under way is waited for', () => {
  const status = progressing('ReplicaSetUpdated', -100);
  assert.equal(deadlineIn(deployment(), status, EPOCH), 501_000);
  assert.equal(deadlineIn(deployment(), progressing('NewReplicaSetAvailable', -100), EPOCH), undefined);
  assert.equal(
    deadlineIn(deployment(), progressing('ProgressDeadlineExceeded', -100, 'False'), EPOCH),
    undefined,
  );
});
