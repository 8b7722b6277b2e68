import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSingleUser } from './image-host.ts';

test('isSingleUser: one line that maps one user', () => {
  assert.equal(isSingleUser('         0       1000          1\n'), true);
  assert.equal(isSingleUser('         0          0 4294967295\n'), false);
  assert.equal(isSingleUser('         0       1000          1\n         1     100000      65536\n'), false);
});
