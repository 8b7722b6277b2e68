import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errnoName, errnoNumber } from './errno.ts';

test('errnoName: names, either sign, one name for aliases, unknown numbers', () => {
  const names = [17, -19, 11, 95, 101, 105, 3, 9999].map(errnoName);
  assert.deepEqual(names, [
    'EEXIST',
    'ENODEV',
    'EAGAIN',
    'EOPNOTSUPP',
    'ENETUNREACH',
    'ENOBUFS',
    'ESRCH',
    'errno 9999',
  ]);
});

test('errnoNumber: the number of a name, 0 for what is none', () => {
  assert.deepEqual(['EEXIST', 'EWHAT'].map(errnoNumber), [17, 0]);
});
