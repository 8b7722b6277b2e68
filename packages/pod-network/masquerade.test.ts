import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ipFromBytes, parseIp, parsePrefix } from '#ip';
import { nodeChanges, planMasquerade, renderMasquerade } from './masquerade.ts';

const prefixes = (...texts: readonly string[]) => texts.map((text) => parsePrefix(text));

const addresses = (...texts: readonly string[]) => texts.map((text) => parseIp(text));

describe('masquerade', () => {
  test('planMasquerade: nothing lies inside another exception, multicast is never rewritten', () => {
    assert.deepEqual(
      planMasquerade(
        prefixes('10.244.1.0/24'),
        prefixes('10.244.0.0/16', '10.96.0.0/16', '10.96.0.0/16'),
        addresses('172.30.0.12', '172.30.0.11', '172.30.0.12'),
      ),
      {
        from: ['10.244.1.0/24'],
        except: ['10.96.0.0/16', '10.244.0.0/16', '224.0.0.0/4', 'ff00::/8'],
        nodes: ['172.30.0.11', '172.30.0.12'],
      },
    );
  });

  test('planMasquerade: a node without Pods masquerades nothing', () => {
    assert.equal(planMasquerade([], prefixes('10.244.0.0/16'), []), undefined);
  });

  test('nodeChanges: a node that moved is one address less and one more', () => {
    const changes = nodeChanges(addresses('10.0.0.1', '10.0.0.2'), addresses('10.0.0.2', 'fd00::1'));
    assert.deepEqual(
      changes.map(({ op, set, key }) => `${op} ${set} ${key.map((part) => ipFromBytes(part)).join()}`),
      ['delete nodes4 10.0.0.1', 'add nodes6 fd00::1'],
    );
  });

  test('renderMasquerade: a rule a family, in one transaction that replaces the table', () => {
    const plan = planMasquerade(
      prefixes('10.244.1.0/24', 'fd00:1::/64'),
      prefixes('10.244.0.0/16', 'fd00::/16'),
      addresses('172.30.0.11'),
    );
    assert.ok(plan);
    const script = renderMasquerade(plan).replaceAll(/"[0-9a-f]{16}"/g, '"VERSION"');
    assert.equal(
      script,
      `add table inet podway-masq
delete table inet podway-masq
table inet podway-masq {
  set nodes4 {
    type ipv4_addr
    elements = { 172.30.0.11 }
  }
  set nodes6 {
    type ipv6_addr
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr { 10.244.1.0/24 } ip daddr != { 10.244.0.0/16, 224.0.0.0/4 } ip daddr != @nodes4 masquerade fully-random comment "VERSION"
    ip6 saddr { fd00:1::/64 } ip6 daddr != { fd00::/16, ff00::/8 } ip6 daddr != @nodes6 masquerade fully-random comment "VERSION"
  }
}
`,
    );
  });
});
