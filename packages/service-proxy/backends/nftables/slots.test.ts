import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ipFromBytes } from '#ip';
import { assignSlots, endpointText } from './slots.ts';

const endpoints = (numbers: readonly number[]) =>
  numbers.map((n) => ({ address: ipFromBytes(Uint8Array.of(10, 0, 0, n)), port: 80, local: false }));
const texts = (numbers: readonly number[]) => endpoints(numbers).map(endpointText);

describe('assignSlots', () => {
  test('the first time: in order', () => {
    assert.deepEqual(assignSlots(endpoints([1, 2, 3]), []), texts([1, 2, 3]));
  });
  test('one goes: the last takes its slot, the rest stay', () => {
    assert.deepEqual(assignSlots(endpoints([1, 3, 4]), texts([1, 2, 3, 4])), texts([1, 4, 3]));
  });
  test('one comes, first in order: it goes to the end', () => {
    assert.deepEqual(assignSlots(endpoints([1, 2, 3]), texts([2, 3])), texts([2, 3, 1]));
  });
  test('a hole or a repeated endpoint in what was found is filled', () => {
    assert.deepEqual(
      assignSlots(endpoints([1, 2, 3]), [...texts([2]), undefined, ...texts([2])]),
      texts([2, 1, 3]),
    );
  });
  test('every endpoint has one slot, and no more change than must', () => {
    const some = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 12 });
    fc.assert(
      fc.property(some, some, (before, after) => {
        const old = assignSlots(endpoints(before), []);
        const now = assignSlots(endpoints(after), old);
        assert.deepEqual([...now].sort(), texts(after).sort());
        const kept = now.filter((text, slot) => text === old[slot]).length;
        const couldStay = old.slice(0, after.length).filter((text) => texts(after).includes(text)).length;
        assert.equal(kept, couldStay);
      }),
    );
  });
});
