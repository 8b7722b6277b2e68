import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp, parsePrefix } from '#ip';
import { nodeFacts } from './node-facts.ts';
import { familiesOf } from './table/facts.ts';

const SETTINGS = {
  clusterCIDRs: [parsePrefix('10.244.0.0/16')],
  serviceCIDRs: [parsePrefix('10.96.0.0/16')],
  localAddresses: [parseIp('10.96.0.10')],
};

describe('nodeFacts', () => {
  test('reads addresses, zone and Pod ranges of both families', () => {
    const facts = nodeFacts(
      'node1',
      {
        metadata: { name: 'node1', labels: { 'topology.kubernetes.io/zone': 'east' } },
        spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'] },
        status: {
          addresses: [
            { type: 'ExternalIP', address: '203.0.113.1' },
            { type: 'InternalIP', address: '172.30.0.11' },
            { type: 'InternalIP', address: '172.30.0.12' },
            { type: 'InternalIP', address: 'fd00::b' },
          ],
        },
      },
      SETTINGS,
    );
    assert.deepEqual(facts, {
      ...SETTINGS,
      name: 'node1',
      addresses: ['172.30.0.11', '172.30.0.12', 'fd00::b'],
      zone: 'east',
      podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'],
      nodePortAddresses: ['172.30.0.11', 'fd00::b'],
    });
  });

  test('hasFamily: addresses of a family that the machine has not are none of this node’s', () => {
    const node = {
      spec: { podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'] },
      status: { addresses: ['172.30.0.11', 'fd00::b'].map((address) => ({ type: 'InternalIP', address })) },
    };
    const both = { ...SETTINGS, serviceCIDRs: [parsePrefix('10.96.0.0/16'), parsePrefix('fd00:96::/108')] };
    const facts = nodeFacts('node1', node, { ...both, hasFamily: (family) => family === 'IPv4' });
    assert.deepEqual([...familiesOf(facts)], ['IPv4']);
    assert.deepEqual(facts.nodePortAddresses, ['172.30.0.11']);
    assert.deepEqual([...familiesOf(nodeFacts('node1', node, both))], ['IPv4', 'IPv6']);
  });

  test('without a Node there are the settings alone', () => {
    const facts = nodeFacts('node1', undefined, SETTINGS);
    assert.deepEqual([facts.addresses, facts.podCIDRs, facts.zone], [[], [], undefined]);
    assert.deepEqual(facts.clusterCIDRs, SETTINGS.clusterCIDRs);
  });

  test('nodePortAddresses: the option is asked with the node’s addresses', () => {
    const node = { status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] } };
    const more = parseIp('192.168.7.1');
    const facts = nodeFacts('node1', node, { ...SETTINGS, nodePortAddresses: (own) => [...own, more] });
    assert.deepEqual(facts.nodePortAddresses, ['172.30.0.11', more]);
  });
});
