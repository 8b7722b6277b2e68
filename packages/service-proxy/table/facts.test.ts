import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { IP_FAMILIES, parseIp } from '#ip';
import { nodePortAddresses, parseNodePortAddressOption, selectsLoopback } from './facts.ts';

const ips = (...texts: string[]) => texts.map(parseIp);
const PRIMARY = ips('172.30.0.11', 'fd00::b', '172.30.0.99');
const HOST = ips('127.0.0.1', '172.30.0.11', '192.168.7.1', '::1', 'fd00::b', '127.0.0.1');

describe('nodePortAddresses', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['primary', ['172.30.0.11', 'fd00::b']],
    ['all', ['172.30.0.11', '192.168.7.1', 'fd00::b']],
    ['127.0.0.0/8', ['127.0.0.1']],
    ['localhost', ['127.0.0.1']],
    ['::/0', ['fd00::b']],
    ['192.168.0.0/16, fd00::/8', ['192.168.7.1', 'fd00::b']],
    ['10.0.0.0/8', []],
  ];
  for (const [option, expected] of cases)
    test(option, () => {
      assert.deepEqual(
        nodePortAddresses(parseNodePortAddressOption(option, '--nodeport-addresses'), PRIMARY, () => HOST),
        expected,
      );
    });

  test('an option that is none of these says so', () => {
    assert.throws(
      () => parseNodePortAddressOption('everything', '--nodeport-addresses'),
      /--nodeport-addresses: invalid value "everything"/,
    );
  });

  for (const [option, ...families] of [
    ['primary'],
    ['all'],
    ['172.30.0.0/16'],
    ['localhost', 'IPv4', 'IPv6'],
    ['127.0.0.53/32', 'IPv4'],
    ['0.0.0.0/0', 'IPv4'],
    ['::1/128', 'IPv6'],
  ] as const)
    test(`selectsLoopback: ${option} of ${families.join(' and ') || 'no family'}`, () => {
      const parsed = parseNodePortAddressOption(option, '--nodeport-addresses');
      assert.deepEqual(
        IP_FAMILIES.filter((family) => selectsLoopback(parsed, family)),
        families,
      );
    });
});
