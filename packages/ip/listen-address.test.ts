import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvalidInputError } from '#runtime';
import { parseListenAddress } from './listen-address.ts';

describe('parseListenAddress', () => {
  for (const [text, address, port] of [
    ['0.0.0.0:10256', '0.0.0.0', 10256],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['[::1]:53', '::1', 53],
    ['[fd00::a]:65535', 'fd00::a', 65535],
  ] as const)
    test(text, () => assert.deepEqual(parseListenAddress(text, '--listen'), { address, port }));

  for (const text of [
    '',
    '127.0.0.1',
    ':53',
    '::1:53',
    'localhost:53',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    '[::1]',
  ])
    test(`refused: ${text}`, () => {
      assert.throws(
        () => parseListenAddress(text, '--listen'),
        (error) => error instanceof InvalidInputError && /^--listen: .*ADDRESS:PORT/.test(error.message),
      );
    });
});
