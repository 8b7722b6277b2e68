import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '#runtime';
import { Attempts } from './attempts.ts';

test('Attempts: the first is due at once, each after a failure later than the one before', () => {
  const clock = new FakeClock();
  const attempts = new Attempts(clock, { first: 100, max: 300 });
  assert.equal(attempts.remainingMs(), 0);
  assert.equal(attempts.failed(), 100);
  clock.advance(40);
  assert.equal(attempts.remainingMs(), 60);
  clock.advance(1_000);
  assert.equal(attempts.remainingMs(), 0);
  assert.deepEqual([attempts.failed(), attempts.failed(), attempts.failed()], [200, 300, 300]);
});
