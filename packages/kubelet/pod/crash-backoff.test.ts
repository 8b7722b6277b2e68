import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeClock } from '#runtime';
import { CrashBackoff } from './crash-backoff.ts';

test('CrashBackoff: at once, then 10 s doubling to 5 min, each from the end', () => {
  const clock = new FakeClock();
  const backoff = new CrashBackoff(clock);
  const delays: number[] = [];
  for (let round = 0; round < 8; round++) {
    backoff.started();
    clock.advance(100);
    backoff.ended();
    delays.push(backoff.remainingMs());
    clock.advance(backoff.remainingMs());
    assert.equal(backoff.remainingMs(), 0);
    backoff.next();
  }
  assert.deepEqual(delays, [0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]);
});

test('CrashBackoff: forgotten after ten minutes of running', () => {
  const clock = new FakeClock();
  const backoff = new CrashBackoff(clock);
  for (const ran of [1, 1, 600_000]) {
    backoff.started();
    clock.advance(ran);
    backoff.ended();
    clock.advance(backoff.remainingMs());
    if (ran === 1) backoff.next();
  }
  assert.equal(backoff.delayMs, 0);
});
