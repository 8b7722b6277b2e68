import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deepEqual, type JsonObject } from '#kube-api';
import { refusal } from '../testing/registry.ts';
import { fromFieldsV1, SEPARATOR, toFieldsV1 } from './field-set.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const POD = 'io.k8s.api.core.v1.Pod';
const a = { name: 'a', image: '1', env: [{ name: 'X', value: 'x' }] };
const b = { name: 'b', image: '1' };
const pod = (...containers: JsonObject[]): JsonObject => ({ spec: { containers } });

const STRATEGIC: readonly (readonly [why: string, JsonObject, JsonObject, JsonObject])[] = [
  ['lists merge by key', pod(a, b), pod({ name: 'b', image: '2' }), pod(a, { name: 'b', image: '2' })],
  ['new items are appended', pod(a), pod(b), pod(a, b)],
  [
    'lists in lists',
    pod(a),
    pod({ name: 'a', env: [{ name: 'Y', value: 'y' }] }),
    pod({
      ...a,
      env: [
        { name: 'X', value: 'x' },
        { name: 'Y', value: 'y' },
      ],
    }),
  ],
  ['$patch: delete', pod(a, b), pod({ $patch: 'delete', name: 'a' }), pod(b)],
  ['$patch: replace of a list', pod(a, b), { spec: { containers: [{ $patch: 'replace' }, b] } }, pod(b)],
  [
    '$patch: replace of an object',
    { metadata: { labels: { x: 'y' } } },
    { metadata: { labels: { $patch: 'replace', z: 'z' } } },
    { metadata: { labels: { z: 'z' } } },
  ],
  [
    'null removes',
    { metadata: { labels: { x: 'y', z: 'z' } } },
    { metadata: { labels: { x: null } } },
    { metadata: { labels: { z: 'z' } } },
  ],
  [
    'atomic lists are replaced',
    { spec: { tolerations: [{ key: 'a' }] } },
    { spec: { tolerations: [{ key: 'b' }] } },
    { spec: { tolerations: [{ key: 'b' }] } },
  ],
  [
    'sets are joined',
    { metadata: { finalizers: ['a/b'] } },
    { metadata: { finalizers: ['c/d', 'a/b'] } },
    { metadata: { finalizers: ['a/b', 'c/d'] } },
  ],
  [
    '$deleteFromPrimitiveList',
    { metadata: { finalizers: ['a/b', 'c/d'] } },
    { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/b'] } },
    { metadata: { finalizers: ['c/d'] } },
  ],
  [
    '$setElementOrder',
    pod(a, b),
    {
      spec: {
        '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }],
        containers: [{ name: 'b', image: '2' }],
      },
    },
    pod({ name: 'b', image: '2' }, a),
  ],
  [
    '$retainKeys',
    { spec: { volumes: [{ name: 'v', emptyDir: {} }] } },
    { spec: { volumes: [{ $retainKeys: ['name', 'hostPath'], name: 'v', hostPath: { path: '/x' } }] } },
    { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } },
  ],
];

test('applyStrategicMergePatch: lists by key, and every directive', () => {
  for (const [why, document, patch, expected] of STRATEGIC)
    assert.deepEqual(applyStrategicMergePatch(document, patch, POD), expected, why);
});

test('applyStrategicMergePatch: refuses an item without its key, and unknown directives', () => {
  assert.match(
    refusal(() => applyStrategicMergePatch(pod(a), pod({ image: '2' }), POD)).message ?? '',
    /does not contain declared merge key: name/,
  );
  assert.equal(refusal(() => applyStrategicMergePatch(pod(a), { spec: { $patch: 'what' } }, POD)).code, 400);
  assert.equal(refusal(() => applyStrategicMergePatch(pod(a), [], POD)).code, 400);
});

test('toFieldsV1: fromFieldsV1 reads it back', () => {
  const element = fc.oneof(
    fc.stringMatching(/^[a-z.]{1,6}$/).map((name) => `f:${name}`),
    fc.stringMatching(/^[a-z]{1,3}$/).map((value) => `v:${JSON.stringify(value)}`),
    fc.stringMatching(/^[a-z]{1,3}$/).map((name) => `k:${JSON.stringify({ name })}`),
  );
  const path = fc.array(element, { minLength: 1, maxLength: 4 }).map((elements) => elements.join(SEPARATOR));
  fc.assert(
    fc.property(fc.uniqueArray(path), (paths) => {
      assert.deepEqual([...fromFieldsV1(toFieldsV1(paths))].sort(), paths.toSorted());
    }),
  );
});

test('deepEqual: absent and undefined are the same, null is not', () => {
  assert.equal(deepEqual({ a: undefined }, {}), true);
  assert.equal(deepEqual({ a: null }, {}), false);
});
