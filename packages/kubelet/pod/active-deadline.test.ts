import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '#runtime';
import { ActiveDeadline } from './active-deadline.ts';

const START = '2026-01-02T03:04:05Z';
const podOf = (activeDeadlineSeconds?: number) => ({
  spec: { containers: [], ...(activeDeadlineSeconds === undefined ? {} : { activeDeadlineSeconds }) },
});

function given() {
  const clock = new FakeClock(Date.parse(START) + 2_000);
  const told: number[] = [];
  const deadline = new ActiveDeadline(START, clock, () => told.push(clock.now() - Date.parse(START)));
  return { clock, deadline, told };
}

test('ActiveDeadline: counts from the Pod’s start, and tells when it is over', () => {
  const { clock, deadline, told } = given();
  assert.equal(deadline.isOver(podOf(10)), false);
  assert.equal(deadline.isOver(podOf(10)), false);
  clock.advance(60_000);
  assert.deepEqual(told, [10_000]);
  assert.equal(deadline.isOver(podOf(10)), true);
});

test('ActiveDeadline: a Pod without one has all the time, also when it had one', () => {
  const { clock, deadline, told } = given();
  assert.equal(deadline.isOver(podOf(10)), false);
  assert.equal(deadline.isOver(podOf()), false);
  clock.advance(60_000);
  assert.deepEqual(told, []);
});
