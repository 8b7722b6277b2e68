import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalQuantity } from './canonical-quantity.ts';
import { parseQuantity } from './quantity.ts';

test('canonicalQuantity: one way to write each', () => {
  for (const [text, canonical] of [
    ['0', '0'],
    ['0.0', '0'],
    ['0Mi', '0'],
    ['1', '1'],
    ['+1', '1'],
    ['0.5', '500m'],
    ['.5', '500m'],
    ['1.5', '1500m'],
    ['1000m', '1'],
    ['100m', '100m'],
    ['1000', '1k'],
    ['1024', '1024'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['0.5Ki', '512'],
    ['100Mi', '100Mi'],
    ['-2000k', '-2M'],
    ['1e3', '1e3'],
    ['12E2', '1200'],
    ['1.1e2', '110'],
    ['1E', '1E'],
    ['0.1n', '1n'],
  ] as const)
    assert.equal(canonicalQuantity(text), canonical, text);
  for (const text of ['', '.', 'x', '1 Gi', '--1', '1KB', '1ki'])
    assert.equal(canonicalQuantity(text), undefined, text);
});

test('canonicalQuantity: means the same, and is its own canonical form', () => {
  const suffix = fc.constantFrom('', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3');
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 99_999 }),
      fc.integer({ min: 0, max: 999 }),
      suffix,
      (a, b, unit) => {
        const text = `${a}.${String(b).padStart(3, '0')}${unit}`;
        const canonical = canonicalQuantity(text) ?? '';
        // A binary quantity is whole bytes.
        const slack = unit.endsWith('i') ? 1 : 1e-6 * Math.max(1, parseQuantity(text));
        assert.ok(Math.abs(parseQuantity(canonical) - parseQuantity(text)) <= slack, `${text} ${canonical}`);
        assert.equal(canonicalQuantity(canonical), canonical);
      },
    ),
  );
});
