import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { ipFromBytes, parseIp, parsePrefix, prefixContains } from '#ip';
import { isInZone } from '../wire/index.ts';
import { addressOfReverseName, reverseName, reverseZones } from './reverse-name.ts';

const address = fc
  .oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map(ipFromBytes);

test('reverseName: addressOfReverseName is its inverse', () => {
  fc.assert(fc.property(address, (ip) => assert.equal(addressOfReverseName(reverseName(ip)), ip)));
});

test('addressOfReverseName: only whole addresses', () => {
  for (const name of [
    '0.3.10.in-addr.arpa',
    '256.0.3.10.in-addr.arpa',
    '01.0.3.10.in-addr.arpa',
    '1.ip6.arpa',
    'a.b',
  ])
    assert.equal(addressOfReverseName(name), undefined);
});

test('reverseZones: whole labels, or the labels a prefix spans', () => {
  assert.deepEqual(reverseZones(parsePrefix('10.96.0.0/16')), ['96.10.in-addr.arpa']);
  assert.deepEqual(
    reverseZones(parsePrefix('10.96.0.0/14')),
    [96, 97, 98, 99].map((n) => `${n}.10.in-addr.arpa`),
  );
  assert.deepEqual(reverseZones(parsePrefix('fd00::/8')), ['d.f.ip6.arpa']);
  assert.equal(reverseZones(parsePrefix('10.96.0.0/12')).length, 16);
});

test('reverseZones: hold the reverse names of the prefix and no others', () => {
  const prefix = parsePrefix('172.20.0.0/14');
  for (const ip of ['172.20.0.0', '172.23.255.255', '172.19.255.255', '172.24.0.0'].map(parseIp))
    assert.equal(
      reverseZones(prefix).some((zone) => isInZone(reverseName(ip), zone)),
      prefixContains(prefix, ip),
    );
});
