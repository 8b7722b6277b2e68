import assert from 'node:assert/strict';
import test from 'node:test';
import { parseIp } from '#ip';
import { FakeClock } from '#runtime';
import type { Resolution } from '../records/resolution.ts';
import type { Question } from '../wire/index.ts';
import { CachingResolver } from './caching-resolver.ts';

const question: Question = { name: 'a.example', typeCode: 1, class: 1 };
const answer = (ttl: number): Resolution => ({
  rcode: 0,
  authoritative: false,
  answers: [{ name: 'a.example', class: 1, ttl, type: 'A', address: parseIp('192.0.2.1') }],
  authorities: [],
  additionals: [],
  stamp: [],
  lifetimeMs: ttl * 1000,
});
const servfail: Resolution = { ...answer(1), rcode: 2, answers: [], lifetimeMs: 2000 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A resolver behind the cache that gives what the test says, when the test says. */
function setup(options?: { readonly entries?: number; readonly staleMs?: number }) {
  const clock = new FakeClock();
  const state = { asked: 0, next: (): Resolution | Promise<Resolution> => answer(100) };
  const cache = new CachingResolver(
    {
      resolve: () => {
        state.asked++;
        return state.next();
      },
    },
    clock,
    { entries: 100, staleMs: 3_600_000, staleAfterMs: 1800, ...options },
  );
  return { clock, state, cache, ask: async (name = 'a.example') => cache.resolve({ ...question, name }) };
}

test('CachingResolver: asks once, then counts the TTL down', async () => {
  const { clock, state, ask } = setup();
  assert.equal((await ask()).answers[0]?.ttl, 100);
  clock.advance(40_500);
  const kept = await ask();
  assert.equal(kept.answers[0]?.ttl, 60);
  assert.equal(state.asked, 1);
  // Given out again without asking the cache only until it is time to prefetch.
  assert.equal(kept.lifetimeMs, 90_000 - 40_500);
});

test('CachingResolver: questions at the same time are one', async () => {
  const { state, ask } = setup();
  await Promise.all([ask(), ask(), ask()]);
  assert.equal(state.asked, 1);
});

test('CachingResolver: in the last tenth it is fetched anew, and the client does not wait', async () => {
  const { clock, state, cache, ask } = setup();
  await ask();
  clock.advance(95_000);
  assert.equal((await ask()).answers[0]?.ttl, 5);
  await turn();
  assert.equal(state.asked, 2);
  assert.equal((await ask()).answers[0]?.ttl, 100);
  assert.equal(cache.counters.prefetches, 1);
});

test('CachingResolver: stale rather than none, when the upstream fails or is slow; and not for ever', async () => {
  const { clock, state, ask } = setup();
  await ask();
  clock.advance(200_000);
  state.next = () => servfail;
  const failed = await ask();
  assert.deepEqual([failed.rcode, failed.answers[0]?.ttl, failed.lifetimeMs], [0, 30, 0]);

  const late = Promise.withResolvers<Resolution>();
  state.next = () => late.promise;
  const waiting = ask();
  await turn();
  clock.advance(1800);
  assert.equal((await waiting).answers[0]?.ttl, 30);
  late.resolve(answer(50));
  await turn();
  assert.equal((await ask()).answers[0]?.ttl, 50);

  clock.advance(4_000_000);
  state.next = () => servfail;
  assert.equal((await ask()).rcode, 2);
});

test('CachingResolver: a denial without a lifetime is asked for again', async () => {
  const { state, ask } = setup();
  state.next = () => ({ ...answer(1), rcode: 3, answers: [], lifetimeMs: 0 });
  await ask();
  await ask();
  assert.equal(state.asked, 2);
});

test('CachingResolver: holds no more than it may, those asked for last', async () => {
  const { state, cache, ask } = setup({ entries: 2 });
  for (const name of ['a', 'b', 'a', 'c', 'a']) await ask(name);
  assert.equal(cache.size, 2);
  assert.equal(state.asked, 3);
  assert.equal(cache.counters.evictions, 1);
});
