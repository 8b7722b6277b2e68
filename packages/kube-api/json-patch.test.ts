import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, JsonObject } from './json.ts';
import { applyJsonPatch } from './json-patch.ts';
import { PatchError } from './patch-error.ts';

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
  for (const [patch, problem] of [
    [[{ op: 'remove', path: '/no' }], 'inapplicable'],
    [[{ op: 'replace', path: '/a/b/c', value: 1 }], 'inapplicable'],
    [[{ op: 'test', path: '/a', value: 2 }], 'inapplicable'],
    [[{ op: 'add', path: '/list/9', value: 1 }], 'inapplicable'],
    [[{ op: 'remove', path: '/constructor' }], 'inapplicable'],
    [{}, 'malformed'],
    [[{ op: 'what', path: '/a' }], 'malformed'],
    [[{ op: 'add', path: '/a' }], 'malformed'],
    [[{ op: 'add', path: 'a', value: 1 }], 'malformed'],
  ] as const)
    assert.throws(
      () => applyJsonPatch({ a: 1, list: [1] }, patch),
      (error) => error instanceof PatchError && error.problem === problem,
      JSON.stringify(patch),
    );
});
