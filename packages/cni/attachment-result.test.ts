import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip, parseMac, parsePrefix as prefix } from '#ip';
import { attachmentResult } from './attachment-result.ts';

const attachment = {
  network: 'podway',
  containerId: 'a',
  ifName: 'eth0',
  netns: '/run/netns/a',
  hostLink: 'pod0123456789ab',
  addresses: [ip('10.244.1.2'), ip('fd00::2')],
  portMappings: [],
  pod: undefined,
  complete: true,
};
const wiring = {
  attachment,
  addresses: [
    { address: ip('10.244.1.2'), gateway: ip('10.244.1.1') },
    { address: ip('fd00::2'), gateway: ip('fd00::1') },
  ],
  mac: parseMac('0a:58:0a:f4:01:02'),
  mtu: 1500,
};

describe('attachmentResult', () => {
  test('the first of a chain: bridge and both ends, a host address and a default route a family', () => {
    assert.deepEqual(attachmentResult(wiring, { prevResult: undefined, dns: {} }), {
      interfaces: [
        { name: 'cni0' },
        { name: 'pod0123456789ab', mtu: 1500 },
        { name: 'eth0', mac: '0a:58:0a:f4:01:02', mtu: 1500, sandbox: '/run/netns/a' },
      ],
      ips: [
        { address: '10.244.1.2', prefixLength: 32, gateway: '10.244.1.1', interface: 2 },
        { address: 'fd00::2', prefixLength: 128, gateway: 'fd00::1', interface: 2 },
      ],
      routes: [
        { dst: '0.0.0.0/0', gw: '10.244.1.1' },
        { dst: '::/0', gw: 'fd00::1' },
      ],
      dns: {},
    });
  });

  test('behind another plugin: what came before stays first, and indices count it', () => {
    const prevResult = {
      interfaces: [{ name: 'other0' }],
      ips: [{ address: ip('192.0.2.1'), prefixLength: 24, interface: 0 }],
      routes: [{ dst: prefix('192.0.2.0/24') }],
      dns: { nameservers: ['192.0.2.53'] },
    };
    const result = attachmentResult(wiring, { prevResult, dns: {} });
    assert.deepEqual(
      result.interfaces.map(({ name }) => name),
      ['other0', 'cni0', 'pod0123456789ab', 'eth0'],
    );
    assert.deepEqual(
      result.ips.map((each) => each.interface),
      [0, 3, 3],
    );
    assert.deepEqual([result.routes.length, result.routes[0]?.dst], [3, '192.0.2.0/24']);
    assert.deepEqual(result.dns, prevResult.dns);
  });

  test('dns of the configuration goes before that of the plugins before', () => {
    const prevResult = { interfaces: [], ips: [], routes: [], dns: { domain: 'old' } };
    assert.deepEqual(attachmentResult(wiring, { prevResult, dns: { domain: 'new' } }).dns, { domain: 'new' });
  });

  test('without a known MTU or MAC nothing is said of them', () => {
    const { interfaces } = attachmentResult(
      { ...wiring, mac: undefined, mtu: undefined },
      { prevResult: undefined, dns: {} },
    );
    assert.deepEqual(interfaces.at(-1), { name: 'eth0', sandbox: '/run/netns/a' });
  });
});
