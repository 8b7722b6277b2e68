import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { anyName } from '../fixtures/arbitraries.ts';
import { WireError } from './errors.ts';
import { canonicalName, isInZone, nameToLabels, nameToWire } from './name.ts';
import { MessageReader } from './reader.ts';
import { MessageWriter } from './writer.ts';

test('nameToWire: text and octets map one to one, with the writer and the reader', () => {
  fc.assert(
    fc.property(anyName, (name) => {
      const wire = nameToWire(name);
      assert.equal(new MessageReader(wire).name(), name);
      const writer = new MessageWriter();
      writer.name(name);
      assert.deepEqual(writer.finish(), wire);
    }),
  );
});

for (const bad of [
  '',
  '..',
  'a..b',
  '.a',
  `${'a'.repeat(64)}.b`,
  'a.'.repeat(130),
  'ü.ч',
  'a\\9x'.concat('\\'),
])
  test(`nameToWire: ${JSON.stringify(bad.slice(0, 20))} is refused, by the writer too`, () => {
    assert.throws(() => nameToWire(bad), WireError);
    assert.throws(() => new MessageWriter().name(bad), WireError);
  });

test('nameToLabels: escapes of RFC 1035', () => {
  assert.deepEqual(
    nameToLabels('a\\.b.\\000\\255').map((label) => [...label]),
    [
      [0x61, 0x2e, 0x62],
      [0, 255],
    ],
  );
});

test('canonicalName: ASCII letters lower, the last dot gone', () => {
  assert.equal(canonicalName('WWW.Example.COM.'), 'www.example.com');
  assert.equal(canonicalName('.'), '.');
});

test('isInZone: whole labels count', () => {
  assert.ok(isInZone('a.cluster.local', 'cluster.local'));
  assert.ok(isInZone('cluster.local', 'cluster.local'));
  assert.ok(isInZone('anything', '.'));
  assert.ok(!isInZone('acluster.local', 'cluster.local'));
  assert.ok(!isInZone('local', 'cluster.local'));
});
