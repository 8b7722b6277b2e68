import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from './json.ts';
import { applyMergePatch } from './merge-patch.ts';

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
  [{ a: 'b' }, ['c'], ['c']],
  [{ a: 'foo' }, null, null],
  [{ a: 'foo' }, 'bar', 'bar'],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: 'b', c: null }, { a: 'b' }],
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
