import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { InvalidAddressError, ipFromBytes, parseIp } from './address.ts';
import { macFromBytes, macToBytes, parseMac } from './mac.ts';
import {
  addressAt,
  hostPrefix,
  parsePrefix,
  prefixAddress,
  prefixContains,
  prefixesOverlap,
  prefixFamily,
  prefixLength,
  prefixOf,
  prefixSize,
  subnet,
} from './prefix.ts';

const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(ipFromBytes);
const prefix = fc
  .tuple(address, fc.nat(128))
  .map(([address, length]) => prefixOf(address, address.includes(':') ? length : length % 33));

describe('IP prefixes', () => {
  for (const text of ['10.1.0.0/24', '0.0.0.0/0', '10.0.0.1/32', '::/0', 'fd00::/8', '2001:db8::1/128'])
    test(`parsePrefix: ${text}`, () => assert.equal(parsePrefix(text), text));
  for (const text of [
    '10.1.0.0',
    '10.1.0.0/',
    '10.1.0.0/33',
    '10.1.0.1/24',
    '::/129',
    'fd00::1/64',
    '10.1.0.0/024',
    '10.1.0.0/-1',
    '/24',
    '10.0/8',
    '10.0.0.0/8/8',
  ])
    test(`parsePrefix: ${text} is refused with its text`, () => {
      assert.throws(
        () => parsePrefix(text),
        (error) => error instanceof InvalidAddressError && error.text === text,
      );
    });
  test('parsePrefix: host bits are cleared when allowed', () => {
    assert.equal(parsePrefix('10.1.0.77/24', { allowHostBits: true }), '10.1.0.0/24');
    assert.equal(parsePrefix('FD00::1/64', { allowHostBits: true }), 'fd00::/64');
    assert.throws(() => parsePrefix('10.1.0.77/24'), /the network is 10\.1\.0\.0\/24/);
  });
  test('parts, text and containment agree', () => {
    fc.assert(
      fc.property(prefix, address, (prefix, other) => {
        assert.equal(parsePrefix(prefix), prefix);
        assert.equal(`${prefixAddress(prefix)}/${prefixLength(prefix)}`, prefix);
        assert.ok(prefixContains(prefix, prefixAddress(prefix)));
        assert.ok(prefixContains(prefix, addressAt(prefix, prefixSize(prefix) - 1n)));
        assert.equal(prefixContains(hostPrefix(other), other), true);
        const same = prefixFamily(prefix) === prefixFamily(hostPrefix(other));
        const expected = same && prefixOf(other, prefixLength(prefix)) === prefix;
        assert.equal(prefixContains(prefix, other), expected);
        assert.equal(prefixesOverlap(prefix, hostPrefix(other)), prefixContains(prefix, other));
      }),
    );
  });
  test('prefixesOverlap: one holds the other, or neither', () => {
    const overlap = (a: string, b: string) => prefixesOverlap(parsePrefix(a), parsePrefix(b));
    assert.deepEqual(
      [
        overlap('10.0.0.0/8', '10.1.0.0/16'),
        overlap('10.1.0.0/16', '10.0.0.0/8'),
        overlap('10.0.0.0/16', '10.1.0.0/16'),
        overlap('0.0.0.0/0', '::/0'),
      ],
      [true, true, false, false],
    );
  });
  test('subnet: the nodes of a cluster, to the last and no further', () => {
    const cluster = parsePrefix('10.244.0.0/16');
    assert.deepEqual(
      [0, 1, 255].map((i) => subnet(cluster, 24, i)),
      ['10.244.0.0/24', '10.244.1.0/24', '10.244.255.0/24'],
    );
    assert.equal(subnet(parsePrefix('fd00:10::/48'), 64, 65535), 'fd00:10:0:ffff::/64');
    for (const [length, index] of [
      [24, 256],
      [24, -1],
      [8, 0],
      [33, 0],
    ] as const)
      assert.throws(() => subnet(cluster, length, index), InvalidAddressError);
  });
  test('subnets do not overlap and lie inside', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), (i, j) => {
        const cluster = parsePrefix('fd00::/56');
        const [a, b] = [subnet(cluster, 64, i), subnet(cluster, 64, j)];
        assert.equal(prefixesOverlap(a, b), i === j);
        assert.ok(prefixContains(cluster, prefixAddress(a)));
      }),
    );
  });
  test('addressAt, prefixSize, hostPrefix', () => {
    const pods = parsePrefix('10.244.1.0/24');
    assert.deepEqual(
      [addressAt(pods, 1), addressAt(pods, 255n), prefixSize(pods)],
      ['10.244.1.1', '10.244.1.255', 256n],
    );
    assert.throws(() => addressAt(pods, 256), /outside the prefix/);
    assert.throws(() => addressAt(pods, -1), InvalidAddressError);
    assert.deepEqual(
      [hostPrefix(parseIp('10.0.0.1')), hostPrefix(parseIp('::1'))],
      ['10.0.0.1/32', '::1/128'],
    );
    assert.throws(() => prefixOf(parseIp('10.0.0.1'), 1.5), InvalidAddressError);
  });
});

describe('MAC addresses', () => {
  test('parseMac: lower case with colons', () => {
    assert.equal(parseMac('0A:58:0a:01:00:FF'), '0a:58:0a:01:00:ff');
  });
  for (const text of [
    '',
    '0a:58:0a:01:00',
    '0a-58-0a-01-00-02',
    '0a:58:0a:01:00:02:03',
    'a:58:0a:01:00:02',
    '0g:58:0a:01:00:02',
  ])
    test(`parseMac: ${JSON.stringify(text)} is refused with its text`, () => {
      assert.throws(
        () => parseMac(text),
        (error) => error instanceof InvalidAddressError && error.text === text,
      );
    });
  test('bytes and text are one address', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const mac = macFromBytes(bytes);
        assert.deepEqual(macToBytes(mac), Uint8Array.from(bytes));
        assert.equal(parseMac(mac), mac);
      }),
    );
    assert.throws(() => macFromBytes(new Uint8Array(5)), InvalidAddressError);
  });
});
