import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareResourceVersions, keyOf } from './metadata.ts';

test('compareResourceVersions: orders as numbers of 64 bits do', () => {
  const version = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(version, version, (a, b) => {
      const order = compareResourceVersions(a.toString(), b.toString());
      assert.equal(Math.sign(order), a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test('keyOf: namespace and name, or the name alone', () => {
  assert.equal(keyOf({ metadata: { namespace: 'n', name: 'a' } }), 'n/a');
  assert.equal(keyOf({ metadata: { name: 'a' } }), 'a');
  assert.throws(() => keyOf({ name: 'a' }), /metadata: invalid value/);
});
