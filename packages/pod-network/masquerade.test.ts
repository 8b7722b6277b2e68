import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parsePrefix } from '#ip';
import { planMasquerade, renderMasquerade } from './masquerade.ts';

const prefixes = (...texts: readonly string[]) => texts.map((text) => parsePrefix(text));

describe('masquerade', () => {
  test('planMasquerade: nothing lies inside another exception, multicast is never rewritten', () => {
    assert.deepEqual(
      planMasquerade(
        prefixes('10.244.1.0/24'),
        prefixes('172.30.0.12/32', '10.244.0.0/16', '172.30.0.0/16', '172.30.0.0/16'),
      ),
      { from: ['10.244.1.0/24'], except: ['10.244.0.0/16', '172.30.0.0/16', '224.0.0.0/4', 'ff00::/8'] },
    );
  });

  test('planMasquerade: a node without Pods masquerades nothing', () => {
    assert.equal(planMasquerade([], prefixes('10.244.0.0/16')), undefined);
  });

  test('renderMasquerade: a rule a family, in one transaction that replaces the table', () => {
    const plan = planMasquerade(
      prefixes('10.244.1.0/24', 'fd00:1::/64'),
      prefixes('10.244.0.0/16', 'fd00::/16'),
    );
    assert.ok(plan);
    const script = renderMasquerade(plan).replaceAll(/"[0-9a-f]{16}"/g, '"VERSION"');
    assert.equal(
      script,
      `add table inet podway-masq
delete table inet podway-masq
table inet podway-masq {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr { 10.244.1.0/24 } ip daddr != { 10.244.0.0/16, 224.0.0.0/4 } masquerade fully-random comment "VERSION"
    ip6 saddr { fd00:1::/64 } ip6 daddr != { fd00::/16, ff00::/8 } masquerade fully-random comment "VERSION"
  }
}
`,
    );
  });
});
