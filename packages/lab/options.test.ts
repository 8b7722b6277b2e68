import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidInputError } from '#runtime';
import { parseLabName, parseNodeCount } from './options.ts';

test('parseLabName: what can be a directory and a host name', () => {
  for (const name of ['a', 'default', 'my-lab-2', 'a'.repeat(40)]) assert.equal(parseLabName(name), name);
  for (const name of ['', '-a', 'a-', 'A', '../x', 'a/b', 'a.b', 'a'.repeat(41), 'a\n'])
    assert.throws(() => parseLabName(name), InvalidInputError, JSON.stringify(name));
});

test('parseNodeCount: from 1 to 200', () => {
  assert.equal(parseNodeCount('1'), 1);
  assert.equal(parseNodeCount('200'), 200);
  for (const text of ['0', '201', '-1', '1.5', '', 'three'])
    assert.throws(() => parseNodeCount(text), InvalidInputError, text);
});
