import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvalidInputError } from './errors.ts';
import { flagChoice, flagNumber, flagSeconds, flagText, flagValue, flagWords } from './flag-values.ts';

const refused = (read: () => unknown, message: RegExp) =>
  assert.throws(read, (error) => error instanceof InvalidInputError && message.test(error.message));

describe('flag values', () => {
  test('flagValue: what the reader makes of it, and its reason under the flag’s name', () => {
    assert.equal(flagValue('--n', '7', Number), 7);
    refused(() => flagValue('--n', 'x', () => assert.fail('too odd')), /^--n: .*"x".*too odd/);
  });

  test('flagChoice: a known value', () => {
    assert.equal(flagChoice('--mode', 'a', ['a', 'b']), 'a');
    refused(() => flagChoice('--mode', 'c', ['a', 'b']), /^--mode: .*"c".*one of a, b/);
  });

  test('flagNumber: within its bounds, and no empty text for 0', () => {
    assert.deepEqual([flagNumber('--n', '0', 0, 1), flagNumber('--n', '0.5', 0, 1)], [0, 0.5]);
    for (const value of ['', ' ', 'x', '-1', '2', 'NaN'])
      refused(() => flagNumber('--n', value, 0, 1), /^--n: .*from 0 to 1/);
  });

  test('flagText: of a form', () => {
    assert.equal(flagText('--dir', '/a', /^\//, 'an absolute path'), '/a');
    refused(() => flagText('--dir', 'a', /^\//, 'an absolute path'), /^--dir: .*is not an absolute path/);
  });

  test('flagWords: between commas', () => {
    assert.deepEqual([flagWords(''), flagWords('a'), flagWords('a,b,')], [[], ['a'], ['a', 'b']]);
  });

  test('flagSeconds: hours, minutes, seconds', () => {
    for (const [text, seconds] of [
      ['0s', 0],
      ['90s', 90],
      ['15m', 900],
      ['1h30m', 5400],
      ['1h0m1s', 3601],
    ] as const)
      assert.equal(flagSeconds('--t', text), seconds);
    for (const text of ['', '5', '1s1m', '1.5h', '-1s'])
      refused(() => flagSeconds('--t', text), /^--t: .*must be a time/);
  });
});
