import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transitionTime } from './condition.ts';

const BEFORE = '2026-01-02T03:04:05Z';
const NOW = '2026-01-02T03:05:00Z';

test('transitionTime: moves with the status only', () => {
  assert.equal(transitionTime(undefined, 'True', NOW), NOW);
  assert.equal(transitionTime({ status: 'False', lastTransitionTime: BEFORE }, 'True', NOW), NOW);
  assert.equal(transitionTime({ status: 'True', lastTransitionTime: BEFORE }, 'True', NOW), BEFORE);
  assert.equal(transitionTime({ status: 'True' }, 'True', NOW), NOW);
});
