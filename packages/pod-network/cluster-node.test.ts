import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readClusterNode } from './cluster-node.ts';

describe('readClusterNode', () => {
  test('takes InternalIP addresses and all Pod CIDRs, of any family', () => {
    const { node, problems } = readClusterNode({
      metadata: { name: 'n' },
      spec: { podCIDR: '10.1.0.0/24', podCIDRs: ['10.1.0.0/24', 'fd00:1::/64'] },
      status: {
        addresses: [
          { type: 'Hostname', address: 'n' },
          { type: 'InternalIP', address: '192.0.2.1' },
          { type: 'ExternalIP', address: '198.51.100.1' },
          { type: 'InternalIP', address: '2001:DB8::1' },
        ],
      },
    });
    assert.deepEqual(node, {
      name: 'n',
      addresses: ['192.0.2.1', '2001:db8::1'],
      podCidrs: ['10.1.0.0/24', 'fd00:1::/64'],
    });
    assert.deepEqual(problems, []);
  });

  test('reads podCIDR alone, and nothing where nothing is', () => {
    assert.deepEqual(
      readClusterNode({ metadata: { name: 'n' }, spec: { podCIDR: '10.1.0.0/24' } }).node.podCidrs,
      ['10.1.0.0/24'],
    );
    assert.deepEqual(readClusterNode({ metadata: { name: 'n' } }).node, {
      name: 'n',
      addresses: [],
      podCidrs: [],
    });
  });

  test('leaves out and reports what it cannot read, and keeps the rest', () => {
    const { node, problems } = readClusterNode({
      metadata: { name: 'n' },
      spec: { podCIDRs: ['10.1.0.5/24', '10.2.0.0/24'] },
      status: { addresses: [{ type: 'InternalIP', address: '300.0.0.1' }] },
    });
    assert.deepEqual(node, { name: 'n', addresses: [], podCidrs: ['10.2.0.0/24'] });
    assert.deepEqual(
      problems.map(({ reason, message }) => `${reason} ${message.slice(0, 17)}`),
      ['InvalidNode status.addresses:', 'InvalidNode spec.podCIDRs: in'].map((text) => text.slice(0, 29)),
    );
  });
});
