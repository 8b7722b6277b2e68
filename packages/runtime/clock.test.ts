import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, sleep, systemClock } from './clock.ts';

test('FakeClock.advance: fires timers in time order, those started on the way included', () => {
  const clock = new FakeClock(1000);
  const fired: [string, number][] = [];
  clock.setTimer(20, () => fired.push(['b', clock.now()]));
  clock.setTimer(10, () => {
    fired.push(['a', clock.now()]);
    clock.setTimer(5, () => fired.push(['c', clock.now()]));
  });
  clock.setTimer(12, () => fired.push(['never', 0]))[Symbol.dispose]();
  clock.advance(30);
  assert.deepEqual(fired, [
    ['a', 1010],
    ['c', 1015],
    ['b', 1020],
  ]);
  assert.equal(clock.now(), 1030);
});

test('sleep: resolves in time, rejects with the reason when aborted before or during', async () => {
  const clock = new FakeClock();
  const done = sleep(clock, 50);
  clock.advance(50);
  await done;
  const reason = new Error('stop');
  await assert.rejects(sleep(clock, 50, AbortSignal.abort(reason)), reason);
  const abort = new AbortController();
  const cut = sleep(clock, 50, abort.signal);
  abort.abort(reason);
  await assert.rejects(cut, reason);
});

test('systemClock: a disposed timer does not fire', async () => {
  let fired = false;
  systemClock
    .setTimer(1, () => {
      fired = true;
    })
    [Symbol.dispose]();
  await sleep(systemClock, 10);
  assert.equal(fired, false);
});
