import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  compareIp,
  familyOf,
  InvalidAddressError,
  ipAdd,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  isIp,
  parseIp,
} from './address.ts';

const bytes = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }),
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Runs of zero groups, where IPv6's text form has its rules.
  fc.array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 }).map((groups) => {
    const buffer = Buffer.alloc(16);
    for (const [i, group] of groups.entries()) buffer.writeUInt16BE(group, i * 2);
    return Uint8Array.from(buffer);
  }),
);

describe('IP addresses', () => {
  // RFC 5952 section 4, RFC 4291 section 2.2
  for (const [text, canonical] of [
    ['10.0.0.1', '10.0.0.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:0DB8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    // Section 5 recommends the mixed form for mapped addresses, without requiring it.
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ] as const)
    test(`parseIp: ${text} is ${canonical}`, () => {
      assert.equal(parseIp(text), canonical);
      assert.equal(parseIp(canonical), canonical);
    });

  for (const text of [
    ...[
      '',
      ' ',
      '10.0.0',
      '10.0.0.0.1',
      '10.0.0.256',
      '10.0.0.01',
      '10.0.0.-1',
      '10.0.0.1 ',
      '0x0a.0.0.1',
      '1e1.0.0.1',
    ],
    ...[
      ':',
      ':::',
      '1::2::3',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
      'g::',
      'fe80::1%eth0',
      '::10.0.0',
    ],
    ...[
      '1:2:3:4:5:6:7:10.0.0.1',
      '10.0.0.1::',
      ':1::',
      '1:',
      '::1:',
      '10.0.0.0/24',
      '::ffff:10.0.0.256',
      '10.0.0.1\n',
    ],
  ])
    test(`parseIp: ${JSON.stringify(text)} is refused with its text`, () => {
      assert.throws(
        () => parseIp(text),
        (error) => error instanceof InvalidAddressError && error.text === text,
      );
      assert.equal(isIp(text), false);
    });

  test('isIp: only the canonical form', () => {
    assert.deepEqual(['10.0.0.1', '::1', 'FD00::1', '0:0::1'].map(isIp), [true, true, false, false]);
  });

  test('bytes, text and numbers are one address', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const address = ipFromBytes(value);
        assert.deepEqual(ipToBytes(address), Uint8Array.from(value));
        assert.equal(parseIp(address), address);
        assert.equal(parseIp(address.toUpperCase()), address);
        assert.equal(ipFromBigInt(ipToBigInt(address), familyOf(address)), address);
        assert.equal(familyOf(address) === 'IPv4' ? isIPv4(address) : isIPv6(address), true);
      }),
    );
  });

  test('parseIp: agrees with the platform on what an address is', () => {
    const text = fc.oneof(
      fc
        .array(fc.constantFrom('0', '1', 'ff', ':', '::', '.', '256', 'g'), { maxLength: 12 })
        .map((parts) => parts.join('')),
      fc.ipV6(),
      fc.ipV4(),
    );
    fc.assert(
      fc.property(text, (text) => {
        let ours = true;
        try {
          parseIp(text);
        } catch {
          ours = false;
        }
        assert.equal(ours, isIPv4(text) || isIPv6(text), text);
      }),
      { numRuns: 2000 },
    );
  });

  test('compareIp: IPv4 first, then by value; a total order', () => {
    const sorted = ['9.0.0.1', '10.0.0.1', '10.0.0.10', '::', '::9', '::10', 'fd00::'].map(parseIp);
    assert.deepEqual([...sorted].reverse().sort(compareIp), sorted);
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const [left, right] = [ipFromBytes(a), ipFromBytes(b)];
        assert.equal(Math.sign(compareIp(left, right)), -Math.sign(compareIp(right, left)) + 0);
        assert.equal(compareIp(left, right) === 0, left === right);
      }),
    );
  });

  test('ipAdd: moves within the family and refuses to leave it', () => {
    assert.equal(ipAdd(parseIp('10.0.0.255'), 1), '10.0.1.0');
    assert.equal(ipAdd(parseIp('10.0.0.0'), -1), '9.255.255.255');
    assert.equal(ipAdd(parseIp('fd00::ffff:ffff:ffff:ffff'), 1n), 'fd00:0:0:1::');
    assert.throws(() => ipAdd(parseIp('255.255.255.255'), 1), InvalidAddressError);
    assert.throws(() => ipAdd(parseIp('::'), -1), InvalidAddressError);
  });

  test('ipFromBytes: other lengths are refused', () => {
    for (const length of [0, 3, 5, 15, 17])
      assert.throws(() => ipFromBytes(new Uint8Array(length)), InvalidAddressError);
  });
});
