import assert from 'node:assert/strict';
import { test } from 'node:test';
import { humanDuration } from './column.ts';

test('humanDuration: as kubectl prints ages', () => {
  const [second, minute, hour, day] = [1, 60, 3600, 86_400];
  for (const [seconds, expected] of [
    [0, '0s'],
    [119 * second, '119s'],
    [2 * minute, '2m'],
    [2 * minute + 5, '2m5s'],
    [9 * minute + 59, '9m59s'],
    [10 * minute + 5, '10m'],
    [3 * hour, '3h'],
    [7 * hour + 20 * minute, '7h20m'],
    [8 * hour + 20 * minute, '8h'],
    [47 * hour, '47h'],
    [2 * day + 5 * hour, '2d5h'],
    [8 * day + 5 * hour, '8d'],
    [729 * day, '729d'],
    [731 * day, '2y1d'],
    [3000 * day, '8y'],
    [-5, '<invalid>'],
  ] as const)
    assert.equal(humanDuration(seconds * 1000), expected, String(seconds));
});
