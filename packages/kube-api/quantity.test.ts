import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidInputError } from '#runtime';
import { parseQuantity } from './quantity.ts';

test('parseQuantity: reads every suffix', () => {
  for (const [text, value] of [
    ['100m', 0.1],
    ['0.5', 0.5],
    ['2', 2],
    ['.5', 0.5],
    ['1k', 1000],
    ['1Ki', 1024],
    ['100Mi', 104857600],
    ['1.5Gi', 1610612736],
    ['1e3', 1000],
    ['1E3', 1000],
    ['1E', 1e18],
    ['-1', -1],
    [4, 4],
  ] as const)
    assert.equal(parseQuantity(text), value, String(text));
});

test('parseQuantity: names the field of what is none', () => {
  for (const text of ['', 'abc', '1KB', '1 Gi', '--1', '1ki'])
    assert.throws(
      () => parseQuantity(text, 'spec.cpu'),
      (error) => error instanceof InvalidInputError && error.field === 'spec.cpu',
      text,
    );
});
