import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Pulses } from './pulses.ts';

test('Pulses.due: a change is in force when the second pulse is that was sent after it', () => {
  const pulses = new Pulses();
  pulses.add(1000, 1030);
  pulses.add(1030, 1100);
  pulses.add(1120, 1150);
  assert.equal(pulses.due(990), 1100);
  assert.equal(pulses.due(1000), 1150);
  assert.equal(pulses.due(1029), 1150);
  assert.equal(pulses.due(1030), Number.POSITIVE_INFINITY);
  assert.equal(pulses.due(Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
});
