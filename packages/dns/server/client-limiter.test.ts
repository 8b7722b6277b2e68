import assert from 'node:assert/strict';
import test from 'node:test';
import { ClientLimiter, clientKey } from './client-limiter.ts';

test('ClientLimiter: a burst, then the rate; others are not touched', () => {
  const limiter = new ClientLimiter({ queriesPerSecond: 10, burst: 3 });
  const admitted = (client: number, now: number, queries: number) =>
    Array.from({ length: queries }, () => limiter.admits(client, now)).filter(Boolean).length;
  assert.equal(admitted(1, 0, 5), 3);
  assert.equal(admitted(2, 0, 1), 1);
  assert.equal(admitted(1, 200, 5), 2);
  assert.equal(admitted(1, 60_000, 5), 3);
});

test('ClientLimiter: many clients cost no more than some', () => {
  const limiter = new ClientLimiter({ queriesPerSecond: 1, burst: 1 });
  for (let client = 0; client < 100_000; client++) assert.ok(limiter.admits(client, 0));
  assert.equal(limiter.admits(99_999, 0), false);
});

test('clientKey: equal for equal addresses', () => {
  assert.equal(clientKey('10.0.0.1'), 0x0a000001);
  assert.equal(clientKey('255.255.255.255'), 0xffffffff);
  assert.equal(clientKey('fd00::1'), 'fd00::1');
});
