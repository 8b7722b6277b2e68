import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryDelay } from './retry-delay.ts';

test('retryDelay: doubles from the first to the largest, and stays there for ever', () => {
  const delays = [1, 2, 3, 4, 5, 10_000].map((failures) => retryDelay(failures, { first: 100, max: 1000 }));
  assert.deepEqual(delays, [100, 200, 400, 800, 1000, 1000]);
});
