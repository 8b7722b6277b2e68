import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deepEqual, type Json, type JsonObject } from '../json.ts';
import { refusal } from '../testing/registry.ts';
import { fromFieldsV1, SEPARATOR, toFieldsV1 } from './field-set.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

/** RFC 6902, appendix A, as far as it says what comes out. */
const JSON_PATCHES: readonly (readonly [Json, JsonObject[], Json])[] = [
  [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { foo: 'bar', baz: 'qux' }],
  [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
  [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['a'] }], { foo: ['bar', ['a']] }],
  [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
  [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
  [{ foo: ['a', 'b'] }, [{ op: 'replace', path: '/foo/0', value: 'c' }], { foo: ['c', 'b'] }],
  [
    { foo: { bar: 'baz', waldo: 'fred' }, qux: {} },
    [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
    { foo: { bar: 'baz' }, qux: { thud: 'fred' } },
  ],
  [
    { foo: ['all', 'grass', 'cows', 'eat'] },
    [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
    { foo: ['all', 'cows', 'eat', 'grass'] },
  ],
  [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
];

test('applyJsonPatch: the examples of RFC 6902', () => {
  for (const [document, patch, expected] of JSON_PATCHES)
    assert.deepEqual(applyJsonPatch(document, patch), expected, JSON.stringify(patch));
});

test('applyJsonPatch: refuses what does not apply, and what is no patch', () => {
  for (const [patch, code] of [
    [[{ op: 'remove', path: '/no' }], 422],
    [[{ op: 'replace', path: '/a/b/c', value: 1 }], 422],
    [[{ op: 'test', path: '/a', value: 2 }], 422],
    [[{ op: 'add', path: '/list/9', value: 1 }], 422],
    [[{ op: 'remove', path: '/constructor' }], 422],
    [{}, 400],
    [[{ op: 'what', path: '/a' }], 400],
    [[{ op: 'add', path: '/a' }], 400],
    [[{ op: 'add', path: 'a', value: 1 }], 400],
  ] as const)
    assert.equal(refusal(() => applyJsonPatch({ a: 1, list: [1] }, patch)).code, code, JSON.stringify(patch));
});

/** RFC 7386, appendix A. */
const MERGE_PATCHES: readonly (readonly [Json, Json, Json])[] = [
  [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
  [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
  [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
  [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
  [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
  [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
  [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
  [
    ['a', 'b'],
    ['c', 'd'],
    ['c', 'd'],
  ],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

test('applyMergePatch: the examples of RFC 7386', () => {
  for (const [document, patch, expected] of MERGE_PATCHES)
    assert.deepEqual(applyMergePatch(document, patch), expected, JSON.stringify(patch));
});

test('applyMergePatch: a key named __proto__ is a key', () => {
  const patched = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}') as Json);
  assert.equal(({} as JsonObject)['polluted'], undefined);
  assert.equal(Object.getPrototypeOf(patched), Object.prototype);
});

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
