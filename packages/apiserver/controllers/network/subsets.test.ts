import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Endpoint } from '#kube-api';
import { groupsOfSubsets, MAX_ADDRESSES, subsetsOf } from './subsets.ts';

const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
const endpoint = (ip: string, ready: boolean, terminating = false): Endpoint => ({
  addresses: [ip],
  conditions: { ready, terminating },
});

test('subsetsOf: ready and not ready apart, in order, those that end left out', () => {
  const endpoints = [
    endpoint('10.0.0.2', true),
    endpoint('10.0.0.1', true),
    endpoint('10.0.0.3', false),
    endpoint('10.0.0.4', false, true),
  ];
  assert.deepEqual(subsetsOf([{ ports, endpoints }]), [
    { addresses: [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }], notReadyAddresses: [{ ip: '10.0.0.3' }], ports },
  ]);
  assert.deepEqual(subsetsOf([{ ports, endpoints: [] }]), []);
});

test('subsetsOf: holds no more than the old API may', () => {
  const many = Array.from({ length: MAX_ADDRESSES + 5 }, (_, i) =>
    endpoint(`10.0.${i >> 8}.${i & 255}`, true),
  );
  assert.equal(subsetsOf([{ ports, endpoints: many }])[0]?.addresses?.length, MAX_ADDRESSES);
});

test('groupsOfSubsets: what a person wrote, by family', () => {
  const written = {
    subsets: [
      {
        addresses: [{ ip: '192.0.2.1' }, { ip: '2001:db8::1' }],
        notReadyAddresses: [{ ip: '192.0.2.2' }],
        ports: [{ port: 80 }],
      },
    ],
  };
  assert.deepEqual(groupsOfSubsets(written, 'IPv4'), [
    {
      ports: [{ name: '', port: 80, protocol: 'TCP' }],
      endpoints: [
        { addresses: ['192.0.2.1'], conditions: { ready: true } },
        { addresses: ['192.0.2.2'], conditions: { ready: false } },
      ],
    },
  ]);
  assert.deepEqual(
    groupsOfSubsets(written, 'IPv6')[0]?.endpoints.map(({ addresses }) => addresses),
    [['2001:db8::1']],
  );
  assert.deepEqual(groupsOfSubsets({}, 'IPv4'), []);
});
