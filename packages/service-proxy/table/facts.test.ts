import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp } from '#ip';
import { nodePortAddresses, parseNodePortAddressOption } from './facts.ts';

const ips = (...texts: string[]) => texts.map(parseIp);
const PRIMARY = ips('172.30.0.11', 'fd00::b', '172.30.0.99');
const HOST = ips('127.0.0.1', '172.30.0.11', '192.168.7.1', '::1', 'fd00::b', '127.0.0.1');

describe('nodePortAddresses', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['primary', ['172.30.0.11', 'fd00::b']],
    ['all', ['172.30.0.11', '192.168.7.1', 'fd00::b']],
    ['127.0.0.0/8', ['127.0.0.1']],
    ['192.168.0.0/16, fd00::/8', ['192.168.7.1', 'fd00::b']],
    ['10.0.0.0/8', []],
  ];
  for (const [option, expected] of cases)
    test(option, () => {
      assert.deepEqual(nodePortAddresses(parseNodePortAddressOption(option), PRIMARY, HOST), expected);
    });

  test('an option that is none of these says so', () => {
    assert.throws(
      () => parseNodePortAddressOption('everything'),
      /node-port-addresses: invalid value "everything"/,
    );
  });
});
