import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parseIp, parsePrefix, prefixOf } from '#ip';
import type { ClusterNode } from './cluster-node.ts';
import { hostGw } from './host-gw.ts';
import { planMasquerade } from './masquerade.ts';
import { formatPlan } from './plan.ts';
import type { Attachment } from './view.ts';

const node = (name: string, addresses: readonly string[], podCidrs: readonly string[]): ClusterNode => ({
  name,
  addresses: addresses.map((text) => parseIp(text)),
  podCidrs: podCidrs.map((text) => parsePrefix(text)),
});

function attachment(link: string, text: string): Attachment {
  const address = parseIp(text.slice(0, text.indexOf('/')));
  return { link, address, prefix: prefixOf(address, Number(text.slice(text.indexOf('/') + 1))) };
}

const local = node('node1', ['172.30.0.11', 'fd00:30::11'], ['10.244.1.0/24', 'fd00:244:1::/64']);
const attachments = [
  attachment('eth0', '172.30.0.11/16'),
  attachment('eth0', 'fd00:30::11/64'),
  attachment('eth1', '172.30.64.1/24'),
];

describe('hostGw', () => {
  test('plan: the golden text of a dual-stack cluster with every kind of node', () => {
    const view = {
      local,
      remotes: [
        node('a-both', ['172.30.0.12', 'fd00:30::12'], ['10.244.2.0/24', 'fd00:244:2::/64']),
        node('b-several', ['172.30.0.13'], ['10.244.3.0/25', '10.244.3.128/25']),
        node('c-no-cidr', ['172.30.0.14'], []),
        node('d-no-ipv6', ['172.30.0.15'], ['10.244.5.0/24', 'fd00:244:5::/64']),
        node('e-routed', ['192.0.2.16'], ['10.244.6.0/24']),
        node('f-longest-prefix', ['172.30.64.17'], ['10.244.7.0/24']),
      ],
      attachments,
    };
    const planned = hostGw.plan(view);
    const cluster = ['10.244.0.0/16', '10.96.0.0/16', 'fd00:244::/32'].map((text) => parsePrefix(text));
    const masquerade = planMasquerade(local.podCidrs, cluster, [...local.addresses, parseIp('172.30.0.12')]);
    const golden = readFileSync(join(import.meta.dirname, 'testdata/host-gw.txt'), 'utf8');
    assert.equal(formatPlan({ ...planned, masquerade }), golden);
  });

  test('plan: a remote node with this node’s own address is not routed to itself', () => {
    const twin = node('twin', ['172.30.0.11'], ['10.244.9.0/24']);
    const { routes, problems } = hostGw.plan({ local, remotes: [twin], attachments });
    assert.deepEqual(routes, []);
    assert.deepEqual(
      problems.map(({ reason }) => reason),
      ['NotOnLink'],
    );
  });
});
