import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from './clock.ts';
import { createLogger, type LogRecord, silentLogger } from './logger.ts';
import { Reconciler } from './reconciler.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function setup(reconcile: (signal: AbortSignal) => void | Promise<void>, logger = silentLogger) {
  const clock = new FakeClock();
  const retryMs = { first: 100, max: 1000 };
  return {
    clock,
    reconciler: new Reconciler({ name: 'test', logger, clock, coalesceMs: 10, retryMs }, reconcile),
  };
}

test('Reconciler: a burst of triggers is one run', async () => {
  let runs = 0;
  const { clock, reconciler } = setup(() => void runs++);
  for (let i = 0; i < 5; i++) reconciler.trigger();
  clock.advance(9);
  assert.equal(runs, 0);
  clock.advance(1);
  await turn();
  assert.equal(runs, 1);
});

test('Reconciler: triggers during a run cause exactly one more, never at the same time', async () => {
  let active = 0;
  let runs = 0;
  let release: () => void = () => {};
  const { clock, reconciler } = setup(async () => {
    runs++;
    assert.equal(++active, 1);
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    active--;
  });
  reconciler.trigger();
  clock.advance(10);
  reconciler.trigger();
  reconciler.trigger();
  clock.advance(1000);
  assert.equal(runs, 1);
  release();
  await turn();
  clock.advance(10);
  assert.equal(runs, 2);
  release();
  await turn();
  clock.advance(10_000);
  assert.equal(runs, 2);
});

test('Reconciler: a failure is retried with doubling delays, and a trigger does not shorten them', async () => {
  const at: number[] = [];
  const records: LogRecord[] = [];
  const { clock, reconciler } = setup(
    () => {
      at.push(clock.now());
      if (at.length < 4) throw new Error('not yet');
    },
    createLogger((record) => records.push(record)),
  );
  reconciler.trigger();
  for (let i = 0; i < 100; i++) {
    clock.advance(10);
    await turn();
    if (i === 3) reconciler.trigger();
  }
  assert.deepEqual(at, [10, 110, 310, 710]);
  assert.deepEqual(
    records.map((record) => record.fields['failures']),
    [1, 2, 3],
  );
});

test('Reconciler.settled: waits for a run that began afterwards and succeeded', async () => {
  let fail = true;
  const { clock, reconciler } = setup(() => {
    if (fail) throw new Error('no');
  });
  let settled = false;
  const done = reconciler.settled().then(() => {
    settled = true;
  });
  clock.advance(10);
  await turn();
  assert.equal(settled, false);
  fail = false;
  clock.advance(100);
  await done;
  assert.equal(settled, true);
});

test('Reconciler: disposal aborts the run in progress and no further one starts', async () => {
  let runs = 0;
  const { clock, reconciler } = setup(async (signal) => {
    runs++;
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  });
  reconciler.trigger();
  clock.advance(10);
  reconciler.trigger();
  await reconciler[Symbol.asyncDispose]();
  reconciler.trigger();
  clock.advance(10_000);
  await turn();
  assert.equal(runs, 1);
});

test('Reconciler: againMs runs it once more after a success, counted from the last run', async () => {
  let runs = 0;
  const clock = new FakeClock();
  const options = { name: 'test', logger: silentLogger, clock, againMs: 1000 };
  const reconciler = new Reconciler(options, () => void runs++);
  const pass = async (ms: number) => {
    clock.advance(ms);
    await turn();
    clock.advance(0);
    await turn();
  };
  reconciler.trigger();
  await pass(0);
  await pass(999);
  reconciler.trigger();
  await pass(0);
  assert.equal(runs, 2);
  await pass(999);
  assert.equal(runs, 2);
  await pass(1);
  assert.equal(runs, 3);
  await reconciler[Symbol.asyncDispose]();
  await pass(5000);
  assert.equal(runs, 3);
});
