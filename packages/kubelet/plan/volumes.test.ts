import assert from 'node:assert/strict';
import test from 'node:test';
import { PLAN_CONTEXT, podOf } from '../testing/plan-context.ts';
import { volumePlan } from './volumes.ts';

const filesOf = (volume: Parameters<typeof volumePlan>[1]) => {
  const plan = volumePlan(podOf({}), volume, PLAN_CONTEXT);
  assert.equal(plan.kind, 'files');
  return plan.files.map(({ path, content, mode }) => [
    path,
    Buffer.from(content).toString(),
    mode.toString(8),
  ]);
};

test('volumePlan: a ConfigMap whole, and by items with modes', () => {
  assert.deepEqual(filesOf({ name: 'v', configMap: { name: 'settings' } }), [
    ['COLOUR', 'blue', '644'],
    ['app.conf', 'x=1\n', '644'],
  ]);
  const items = [{ key: 'COLOUR', path: 'a/b', mode: 0o400 }];
  assert.deepEqual(filesOf({ name: 'v', configMap: { name: 'settings', items } }), [['a/b', 'blue', '400']]);
});

test('volumePlan: the projected access to the API', () => {
  const volume = {
    name: 'v',
    projected: {
      sources: [
        { serviceAccountToken: { path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  };
  const objects = {
    ...PLAN_CONTEXT.objects,
    configMaps: new Map([['kube-root-ca.crt', { data: { 'ca.crt': 'PEM' } }]]),
  };
  const plan = volumePlan(podOf({}), volume, { ...PLAN_CONTEXT, objects });
  assert.equal(plan.kind, 'files');
  assert.deepEqual(
    plan.files.map(({ path, content }) => [path, Buffer.from(content).toString()]),
    [
      ['token', 'a.b.c'],
      ['ca.crt', 'PEM'],
      ['namespace', 'shop'],
    ],
  );
});

for (const [name, volume, message] of [
  [
    'a path that leads out',
    { name: 'v', configMap: { name: 'settings', items: [{ key: 'COLOUR', path: '../x' }] } },
    /must be relative/,
  ],
  [
    'a missing key',
    { name: 'v', secret: { secretName: 'login', items: [{ key: 'none', path: 'x' }] } },
    /non-existent config key: none/,
  ],
  ['a missing object', { name: 'v', configMap: { name: 'none' } }, /configmap "none" not found/],
  ['an unknown kind', { name: 'v', nfs: { path: '/', server: 'x' } }, /no volumes of kind nfs/],
] as const)
  test(`volumePlan: ${name} is refused`, () =>
    assert.throws(() => volumePlan(podOf({}), volume, PLAN_CONTEXT), message));

test('volumePlan: an optional object that is not there is empty', () =>
  assert.deepEqual(filesOf({ name: 'v', secret: { secretName: 'none', optional: true } }), []));
