import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isKernelError } from '../errors.ts';
import { NLMSG_DONE, NLMSG_ERROR } from './acknowledgement.ts';
import { Answer, BatchAnswer } from './answer.ts';
import { NLM_F_DUMP_INTR } from './header-flags.ts';
import type { NetlinkMessage } from './reader.ts';

const DATA = 16;
const EEXIST = 17;
const REQUEST = { operation: 'add', object: 'link a' };

function message(type: number, sequence: number, payload: Buffer, flags = 0): NetlinkMessage {
  return { type, flags, sequence, payload };
}

const data = (sequence: number, value: number, flags = 0) =>
  message(DATA, sequence, Buffer.from([value]), flags);

/** `struct nlmsgerr`: a negative errno, and the header of the request. */
function error(sequence: number, errno: number): NetlinkMessage {
  const payload = Buffer.alloc(20);
  payload.writeInt32LE(-errno);
  payload.writeUInt32LE(16, 4);
  return message(NLMSG_ERROR, sequence, payload);
}

const done = (sequence: number) => message(NLMSG_DONE, sequence, Buffer.alloc(4));
const answerTo = (sequence: number) =>
  new Answer(REQUEST, sequence, ({ payload }) => payload[0] || undefined);
const isRefusal = (thrown: unknown) => isKernelError(thrown, 'EEXIST') && /link a/.test(thrown.message);

describe('Answer', () => {
  test('gathers what is decoded, over several parts, until the acknowledgement', () => {
    const answer = answerTo(7);
    answer.take([data(7, 1), data(7, 0), data(7, 2)]);
    assert.deepEqual([answer.values, answer.isComplete], [[1, 2], false]);
    answer.take([data(7, 3), error(7, 0), data(7, 4)]);
    assert.deepEqual([answer.values, answer.isComplete], [[1, 2, 3], true]);
  });

  test('leaves out what answers an earlier request, its failure too', () => {
    const answer = answerTo(7);
    answer.take([data(6, 9), error(6, EEXIST), done(6)]);
    assert.deepEqual([answer.values, answer.isComplete], [[], false]);
  });

  test('knows when the table changed under way', () => {
    const answer = answerTo(7);
    answer.take([data(7, 1, NLM_F_DUMP_INTR), done(7)]);
    assert.deepEqual([answer.isInterrupted, answer.isComplete], [true, true]);
  });

  test('throws what the kernel refused, by the name of what was asked', () => {
    assert.throws(() => answerTo(7).take([error(7, EEXIST)]), isRefusal);
  });
});

describe('BatchAnswer', () => {
  const requests = new Map(
    [5, 6, 7].map((sequence) => [sequence, { operation: 'add', object: `${sequence}` }]),
  );

  test('is complete with the answer to the last; what is refused is told with its request', () => {
    const answer = new BatchAnswer(requests);
    answer.take([error(5, EEXIST)]);
    assert.equal(answer.isComplete, false);
    answer.take([error(4, EEXIST), error(7, 0)]);
    assert.equal(answer.isComplete, true);
    assert.deepEqual(
      answer.refusals.map(({ request, error: { errno } }) => [request.object, errno]),
      [['5', 'EEXIST']],
    );
  });

  test('is complete also when the last is refused', () => {
    const answer = new BatchAnswer(requests);
    answer.take([error(7, EEXIST)]);
    assert.deepEqual([answer.isComplete, answer.refusals.length], [true, 1]);
  });
});
