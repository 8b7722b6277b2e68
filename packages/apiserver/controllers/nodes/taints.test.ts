import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tolerates, untolerated } from './taints.ts';

test('tolerates: key, value, operator and effect', () => {
  const taint = { key: 'k', value: 'v', effect: 'NoSchedule' };
  const table = [
    [{ key: 'k', value: 'v' }, true],
    [{ key: 'k', operator: 'Equal', value: 'v', effect: 'NoSchedule' }, true],
    [{ key: 'k', value: 'w' }, false],
    [{ key: 'k' }, false],
    [{ key: 'k', operator: 'Exists' }, true],
    [{ key: 'x', operator: 'Exists' }, false],
    [{ operator: 'Exists' }, true],
    [{ value: 'v' }, false],
    [{ key: 'k', operator: 'Exists', effect: 'NoExecute' }, false],
  ] as const;
  for (const [toleration, expected] of table)
    assert.equal(tolerates(toleration, taint), expected, JSON.stringify(toleration));
});

test('untolerated: the first taint of these effects that nothing covers', () => {
  const taints = [
    { key: 'soft', effect: 'PreferNoSchedule' },
    { key: 'a', effect: 'NoSchedule' },
    { key: 'b', effect: 'NoExecute' },
  ];
  const found = (...keys: string[]) =>
    untolerated(
      keys.map((key) => ({ key, operator: 'Exists' })),
      taints,
      ['NoSchedule', 'NoExecute'],
    )?.key;
  assert.deepEqual([found(), found('a'), found('a', 'b')], ['a', 'b', undefined]);
});
