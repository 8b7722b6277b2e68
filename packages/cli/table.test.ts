import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge, formatTable } from './table.ts';

test('formatTable: columns are as wide as what is seen of their widest cell', () => {
  assert.equal(
    formatTable(
      ['NAME', 'AGE'],
      [
        ['\x1b[32mx\x1b[39m', '1s'],
        ['longer', ''],
      ],
    ),
    'NAME     AGE\n\x1b[32mx\x1b[39m        1s\nlonger',
  );
});

test('formatAge: as kubectl', () => {
  const ages: readonly (readonly [seconds: number, text: string])[] = [
    [-1, '0s'],
    [0, '0s'],
    [119, '119s'],
    [120, '2m'],
    [312, '5m12s'],
    [3599, '59m'],
    [12_000, '3h20m'],
    [30_000, '8h'],
    [187_200, '2d4h'],
    [864_000, '10d'],
  ];
  for (const [seconds, text] of ages) assert.equal(formatAge(seconds * 1000), text);
});
