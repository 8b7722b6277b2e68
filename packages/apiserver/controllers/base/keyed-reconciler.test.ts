import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, silentLogger } from '#runtime';
import { KeyedReconciler, type Reconcile } from './keyed-reconciler.ts';

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

function setup(reconcile: Reconcile) {
  const clock = new FakeClock();
  const retryMs = { first: 100, max: 300 };
  return {
    clock,
    reconciler: new KeyedReconciler({ name: 'test', clock, logger: silentLogger, retryMs }, reconcile),
  };
}

test('KeyedReconciler: a burst is one run a key', async () => {
  const runs: string[] = [];
  const { reconciler } = setup(async (key) => void runs.push(key));
  for (const key of ['a', 'b', 'a', 'a']) reconciler.trigger(key);
  await settle();
  assert.deepEqual(runs, ['a', 'b']);
});

test('KeyedReconciler: runs of a key never overlap, and triggers meanwhile are one run more', async () => {
  let [runs, active, most] = [0, 0, 0];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { reconciler } = setup(async () => {
    runs++;
    most = Math.max(most, ++active);
    if (runs === 1) await promise;
    active--;
    return undefined;
  });
  reconciler.trigger('a');
  await settle();
  reconciler.trigger('a');
  reconciler.trigger('a');
  await settle();
  assert.equal(runs, 1);
  resolve();
  await settle();
  assert.deepEqual([runs, most], [2, 1]);
});

test('KeyedReconciler: a failure is tried again with growing delays, other keys unhindered', async () => {
  const times: number[] = [];
  let others = 0;
  const { clock, reconciler } = setup(async (key) => {
    if (key === 'b') return void others++;
    times.push(clock.now());
    if (times.length < 5) throw new Error('not yet');
    return undefined;
  });
  reconciler.trigger('a');
  for (let i = 0; i < 100; i++) {
    await settle();
    if (i === 3) reconciler.trigger('b');
    clock.advance(10);
  }
  assert.deepEqual(times, [0, 100, 300, 600, 900]);
  assert.equal(others, 1);
});

test('KeyedReconciler: looks again when it was asked to, and a trigger before replaces that', async () => {
  const times: number[] = [];
  const { clock, reconciler } = setup(async () => {
    times.push(clock.now());
    return times.length < 3 ? 50 : undefined;
  });
  reconciler.trigger('a');
  await settle();
  clock.advance(20);
  reconciler.trigger('a');
  for (let i = 0; i < 20; i++) {
    await settle();
    clock.advance(10);
  }
  assert.deepEqual(times, [0, 20, 70]);
});

test('KeyedReconciler: disposing waits for what runs and starts nothing more', async () => {
  let [runs, finished] = [0, false];
  const { promise, resolve } = Promise.withResolvers<void>();
  const { reconciler } = setup(async () => {
    runs++;
    await promise;
    finished = true;
    return undefined;
  });
  reconciler.trigger('a');
  await settle();
  reconciler.trigger('a');
  const disposed = reconciler[Symbol.asyncDispose]();
  resolve();
  await disposed;
  assert.ok(finished);
  reconciler.trigger('b');
  await settle();
  assert.equal(runs, 1);
});
