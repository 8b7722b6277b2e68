import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECORD_TYPES } from '../wire/index.ts';
import { PendingAnswers } from './pending-answers.ts';
import { failure, type PreparedAnswer, prepareAnswer } from './prepared-answer.ts';

const ANSWER = prepareAnswer({ name: 'example.com', typeCode: RECORD_TYPES.A, class: 1 }, failure(), 0);

test('PendingAnswers: who asks the same again waits with the first', async () => {
  const pending = new PendingAnswers(8);
  const { promise, resolve } = Promise.withResolvers<PreparedAnswer>();
  const first = pending.add('example.com 1', '192.0.2.1', promise);
  assert.equal(pending.get('example.com 1'), first);
  assert.equal(pending.get('example.com 28'), undefined);
  resolve(ANSWER);
  assert.equal(await first, ANSWER);
  assert.equal(pending.get('example.com 1'), undefined);
});

test('PendingAnswers: a client has a quarter of the places, and all have no more than there are', async () => {
  const pending = new PendingAnswers(8);
  const { promise, resolve } = Promise.withResolvers<PreparedAnswer>();
  const ask = (client: string, i: number) => pending.add(`${client} ${i}`, client, promise);
  const waiting = [ask('a', 0), ask('a', 1)];
  assert.equal(pending.mayWait('a'), false);
  assert.equal(pending.mayWait('b'), true);
  for (const client of ['b', 'c', 'd']) waiting.push(ask(client, 0), ask(client, 1));
  assert.equal(pending.mayWait('e'), false);
  resolve(ANSWER);
  await Promise.all(waiting);
  assert.equal(pending.mayWait('a'), true);
});
