import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, deployment, EPOCH, pod, replicaSet, template } from '../testing/objects.ts';
import { type DeploymentPlan, planDeployment, REVISION } from './deployment-plan.ts';

const sizes = ({ change }: DeploymentPlan) =>
  Object.fromEntries(change.map(({ replicaSet, replicas }) => [replicaSet.metadata.name, replicas]));
const revision = (value: number) => ({ annotations: { [REVISION]: String(value) } });
const next = { template: template('nginx:2') };

test('planDeployment: a new one makes its ReplicaSet, whole', () => {
  const plan = planDeployment(deployment(), [], [], EPOCH);
  const { metadata, spec } = plan.create ?? {};
  assert.match(metadata?.name ?? '', /^web-[a-z0-9]+$/);
  assert.equal(spec?.replicas, 3);
  const hash = metadata?.labels?.['pod-template-hash'];
  assert.equal(metadata?.name, `web-${hash}`);
  assert.deepEqual(spec?.selector.matchLabels, { app: 'web', 'pod-template-hash': hash });
  assert.deepEqual(spec?.template?.metadata?.labels, { app: 'web', 'pod-template-hash': hash });
  assert.equal(metadata?.annotations?.[REVISION], '1');
  assert.equal(metadata?.annotations?.['deployment.kubernetes.io/max-replicas'], '4');
  assert.equal(metadata?.ownerReferences?.[0]?.uid, 'uid-web');
  assert.equal(plan.revision, '1');
});

test('planDeployment: one that is as it should be changes nothing', () => {
  const settled = deployment({}, { metadata: revision(1) });
  const plan = planDeployment(settled, [replicaSet('web-1')], [], EPOCH);
  assert.deepEqual([plan.create, plan.change, plan.remove, plan.revision], [undefined, [], [], undefined]);
});

test('planDeployment: a new template takes small steps', () => {
  const table = [
    ['the new one has grown into the surge', { old: 3 }, { fresh: 1, available: 0 }, {}],
    ['one new is available, one old goes', { old: 3 }, { fresh: 1, available: 1 }, { old: 2 }],
    ['the room goes to the new', { old: 2 }, { fresh: 1, available: 1 }, { fresh: 2 }],
    ['the last old goes', { old: 1 }, { fresh: 3, available: 3 }, { old: 0 }],
  ] as const;
  for (const [what, { old }, { fresh, available }, expected] of table) {
    const owned = [
      replicaSet('old', { replicas: old, age: 60 }),
      replicaSet('fresh', { image: 'nginx:2', replicas: fresh, available, revision: 2 }),
    ];
    assert.deepEqual(sizes(planDeployment(deployment(next), owned, [], EPOCH)), expected, what);
  }
});

test('planDeployment: the first step of a rollout makes as many as the surge allows', () => {
  const plan = planDeployment(deployment(next), [replicaSet('old')], [], EPOCH);
  assert.equal(plan.create?.spec?.replicas, 1);
  assert.equal(plan.create?.metadata?.annotations?.[REVISION], '2');
  assert.equal(plan.revision, '2');
});

test('planDeployment: going back takes up the old ReplicaSet under a new revision', () => {
  const owned = [
    replicaSet('first', { replicas: 0, revision: 1, age: 60 }),
    replicaSet('second', { image: 'nginx:2', revision: 2 }),
  ];
  const plan = planDeployment(deployment(), owned, [], EPOCH);
  assert.equal(plan.create, undefined);
  assert.deepEqual(sizes(plan), { first: 1 });
  assert.equal(plan.change[0]?.annotations[REVISION], '3');
  assert.equal(plan.revision, '3');
});

test('planDeployment: annotations follow to the present ReplicaSet, but for those that are the Deployment’s own', () => {
  const annotations = {
    'kubernetes.io/change-cause': 'because',
    'kubectl.kubernetes.io/last-applied-configuration': '{}',
  };
  const made = planDeployment(deployment({}, { metadata: { annotations } }), [], [], EPOCH).create;
  assert.equal(made?.metadata?.annotations?.['kubernetes.io/change-cause'], 'because');
  assert.equal(made?.metadata?.annotations?.['kubectl.kubernetes.io/last-applied-configuration'], undefined);
});

test('planDeployment: Recreate first takes all down, waits for the Pods, then starts', () => {
  const goal = deployment({ ...next, strategy: { type: 'Recreate' } });
  const old = replicaSet('old');
  const down = planDeployment(goal, [old], [], EPOCH);
  assert.deepEqual([sizes(down), down.create], [{ old: 0 }, undefined]);
  const idle = replicaSet('old', { replicas: 0 });
  const ending = pod('p', {
    owner: idle,
    metadata: {
      deletionTimestamp: at(0),
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'old', uid: 'uid-old' }],
    },
  });
  assert.equal(planDeployment(goal, [idle], [ending], EPOCH).create, undefined);
  assert.equal(planDeployment(goal, [idle], [], EPOCH).create?.spec?.replicas, 3);
});

test('planDeployment: scaling goes to the only one that runs, or in proportion in the middle of a rollout', () => {
  assert.deepEqual(sizes(planDeployment(deployment({ replicas: 7 }), [replicaSet('web-1')], [], EPOCH)), {
    'web-1': 7,
  });
  const owned = [
    replicaSet('old', { replicas: 8, desired: 10, age: 60 }),
    replicaSet('fresh', { image: 'nginx:2', replicas: 5, desired: 10, revision: 2 }),
  ];
  const goal = deployment({
    ...next,
    replicas: 15,
    strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } },
  });
  assert.deepEqual(sizes(planDeployment(goal, owned, [], EPOCH)), { old: 11, fresh: 7 });
});

test('planDeployment: while paused only sizes change', () => {
  const paused = planDeployment(deployment({ ...next, paused: true }), [replicaSet('old')], [], EPOCH);
  assert.deepEqual([paused.create, sizes(paused)], [undefined, {}]);
  const scaled = planDeployment(
    deployment({ ...next, paused: true, replicas: 5 }),
    [replicaSet('old')],
    [],
    EPOCH,
  );
  assert.deepEqual([scaled.create, sizes(scaled)], [undefined, { old: 5 }]);
});

test('planDeployment: history beyond its limit goes, oldest first, once the rollout is complete', () => {
  const old = [1, 2, 3].map((n) =>
    replicaSet(`r${n}`, { image: `old:${n}`, replicas: 0, revision: n, age: 60 - n }),
  );
  const fresh = replicaSet('fresh', { revision: 4 });
  const removed = (limit: number, available: number) =>
    planDeployment(
      deployment({ revisionHistoryLimit: limit }),
      [...old, { ...fresh, status: { replicas: 3, availableReplicas: available } }],
      [],
      EPOCH,
    ).remove.map(({ metadata }) => metadata.name);
  assert.deepEqual(removed(1, 3), ['r1', 'r2']);
  assert.deepEqual(removed(0, 3), ['r1', 'r2', 'r3']);
  assert.deepEqual(removed(10, 3), []);
  assert.deepEqual(removed(0, 2), []);
});

test('planDeployment: one that is being deleted is left to the garbage collector', () => {
  const going = deployment({}, { metadata: { deletionTimestamp: at(0) } });
  const plan = planDeployment(going, [], [], EPOCH);
  assert.deepEqual([plan.create, plan.change], [undefined, []]);
});
