import assert from 'node:assert/strict';
import test from 'node:test';
import type { Probe } from '#kube-api';
import { FakeClock } from '#runtime';
import type { ProbeOutcome } from './probe.ts';
import { Prober } from './prober.ts';

/** Runs a prober over scripted outcomes; returns when each probe ran and what came of it. */
async function script(probe: Probe, outcomes: readonly boolean[]) {
  const clock = new FakeClock();
  const at: number[] = [];
  const results: boolean[] = [];
  let failures = 0;
  using _prober = new Prober({
    probe,
    clock,
    run: async (): Promise<ProbeOutcome> => {
      const ok = outcomes[at.length] ?? true;
      at.push(clock.now());
      return ok ? { ok } : { ok, message: 'no' };
    },
    onFailure: () => failures++,
    onResult: (ok) => results.push(ok),
  });
  for (let step = 0; step < 4000 && at.length < outcomes.length; step++) {
    clock.advance(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { at, results, failures };
}

test('Prober: initial delay, then every period', async () => {
  const { at, results } = await script({ initialDelaySeconds: 3, periodSeconds: 5 }, [true, true, true]);
  assert.deepEqual(at, [3000, 8000, 13000]);
  assert.deepEqual(results, [true]);
});

test('Prober: fails after failureThreshold in a row, recovers after successThreshold', async () => {
  const probe = { periodSeconds: 1, failureThreshold: 3, successThreshold: 2 };
  const { results, failures } = await script(probe, [
    true,
    true,
    false,
    false,
    true,
    false,
    false,
    false,
    true,
    true,
  ]);
  assert.deepEqual(results, [true, false, true]);
  assert.equal(failures, 5);
});

test('Prober: the first answer may take a period, and counts once', async () => {
  const { at, results, failures } = await script({ periodSeconds: 10 }, [false, false, false, true, true]);
  assert.deepEqual(at, [0, 100, 200, 400, 10400]);
  assert.deepEqual(results, [true]);
  assert.equal(failures, 0);
});
