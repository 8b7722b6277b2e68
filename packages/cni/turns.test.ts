import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

test('Turns.take: one after the other for a key, also after a failure, and not for another key', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const first = Promise.withResolvers<void>();
  const work = (name: string, until?: Promise<void>) => async () => {
    log.push(`${name} begins`);
    await until;
    log.push(`${name} ends`);
    return name;
  };
  const a = turns.take('x', work('a', first.promise));
  const b = turns.take('x', work('b'));
  assert.equal(await turns.take('y', work('c')), 'c');
  assert.deepEqual(log, ['a begins', 'c begins', 'c ends']);
  first.reject(new Error('a fails'));
  await assert.rejects(a, /a fails/);
  assert.equal(await b, 'b');
  assert.deepEqual(log.slice(3), ['b begins', 'b ends']);
});
