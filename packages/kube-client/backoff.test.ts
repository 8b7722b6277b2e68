import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from './backoff.ts';

const backoff = (random: number) =>
  new Backoff({ next: () => random, bytes: () => new Uint8Array() }, { first: 100, max: 1000 });

test('Backoff: doubles up to its largest, and begins again after a reset', () => {
  const delays = backoff(1);
  assert.deepEqual(
    Array.from({ length: 6 }, () => delays.next()),
    [100, 200, 400, 800, 1000, 1000],
  );
  delays.reset();
  assert.equal(delays.next(), 100);
});

test('Backoff: chance takes up to half away', () => {
  assert.equal(backoff(0).next(), 50);
  assert.equal(backoff(0.5).next(), 75);
});
