import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../errors.ts';
import { jsonPatch, mergePatch } from './patch.ts';

test('mergePatch: the cases of RFC 7386, appendix A', () => {
  const table: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
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
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of table) assert.deepEqual(mergePatch(target, patch), result);
});

test('jsonPatch: operations on objects and lists, in order', () => {
  const target = { a: { 'x/y': 1 }, list: ['one', 'two'] };
  const table = [
    [
      { op: 'add', path: '/b', value: 2 },
      { ...target, b: 2 },
    ],
    [
      { op: 'replace', path: '/a/x~1y', value: 3 },
      { ...target, a: { 'x/y': 3 } },
    ],
    [{ op: 'remove', path: '/a' }, { list: target.list }],
    [
      { op: 'add', path: '/list/1', value: 'x' },
      { ...target, list: ['one', 'x', 'two'] },
    ],
    [
      { op: 'add', path: '/list/-', value: 'x' },
      { ...target, list: ['one', 'two', 'x'] },
    ],
    [
      { op: 'remove', path: '/list/0' },
      { ...target, list: ['two'] },
    ],
    [
      { op: 'replace', path: '/list/1', value: 'x' },
      { ...target, list: ['one', 'x'] },
    ],
    [{ op: 'test', path: '/list/0', value: 'one' }, target],
  ] as const;
  for (const [operation, result] of table) assert.deepEqual(jsonPatch(target, [operation]), result);
});

test('jsonPatch: what does not apply is refused', () => {
  const refused = [
    { op: 'remove', path: '/none' },
    { op: 'replace', path: '/list/7', value: 1 },
    { op: 'replace', path: '/none/deeper', value: 1 },
    { op: 'test', path: '/a', value: 2 },
  ];
  for (const operation of refused)
    assert.throws(
      () => jsonPatch({ a: 1, list: [] }, [operation]),
      (error) => error instanceof ApiError && error.status === 422,
      operation.path,
    );
});
