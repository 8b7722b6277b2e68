import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '#runtime';
import { FORCED, GracePeriod, graceMs } from './grace-period.ts';

/** How many milliseconds pass until the period is over. */
function lasts(period: GracePeriod, clock: FakeClock): number {
  const from = clock.now();
  while (!period.over.aborted) {
    assert.ok(clock.now() - from < 100_000, 'it never ends');
    clock.advance(100);
  }
  return clock.now() - from;
}

const given = () => {
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 900));
  return { clock, period: new GracePeriod(clock) };
};

describe('GracePeriod', () => {
  test('ends after the grace period', () => {
    const { clock, period } = given();
    period.begin(30_000, undefined);
    assert.equal(lasts(period, clock), 30_000);
    assert.notEqual(period.over.reason, FORCED);
  });

  test('ends at the deletion timestamp, up to a second later for its missing fraction', () => {
    const { clock, period } = given();
    period.begin(30_000, '2026-01-02T03:04:15Z');
    assert.equal(lasts(period, clock), 10_100);
  });

  test('a timestamp that has passed leaves no time', () => {
    const { clock, period } = given();
    period.begin(30_000, '2026-01-02T03:00:00Z');
    assert.equal(lasts(period, clock), 100);
  });

  test('asked again with less, it ends earlier', () => {
    const { clock, period } = given();
    period.begin(30_000, undefined);
    clock.advance(1_000);
    period.begin(2_000, undefined);
    assert.equal(lasts(period, clock), 2_000);
  });

  test('without any time, or cut off, what runs is killed without being asked', () => {
    const { clock, period } = given();
    period.begin(0, undefined);
    clock.advance(0);
    assert.equal(period.over.reason, FORCED);
    const other = new GracePeriod(clock);
    other.cutOff();
    assert.equal(other.over.reason, FORCED);
  });

  test('disposed, it is over, and nobody is forced', () => {
    const { period } = given();
    period.begin(1_000, undefined);
    period[Symbol.dispose]();
    assert.equal(period.over.aborted, true);
    assert.notEqual(period.over.reason, FORCED);
  });
});

test('graceMs: as the deletion says, else as the Pod does, else 30 s', () => {
  const spec = { containers: [], terminationGracePeriodSeconds: 5 };
  assert.equal(graceMs({ metadata: { deletionGracePeriodSeconds: 0 }, spec }), 0);
  assert.equal(graceMs({ spec }), 5_000);
  assert.equal(graceMs({}), 30_000);
});
