import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHAPE } from '../nftables/structure.ts';
import { ruleTexts } from './text.ts';

test('ruleTexts: the hooks of both families', () => {
  const prerouting = SHAPE.chains.filter(({ name }) => name === 'prerouting' || name === 'refuse_unanswered');
  assert.deepEqual(
    prerouting.flatMap((chain) => ruleTexts(chain, 'IPv6', SHAPE.name)),
    [
      'add rule ip6 podway refuse_unanswered ct status dnat return',
      'add rule ip6 podway refuse_unanswered ip6 daddr . meta l4proto . th dport @refused goto refuse',
      'add rule ip6 podway refuse_unanswered fib daddr type local return',
      'add rule ip6 podway refuse_unanswered ip6 daddr @cluster_ips goto refuse',
      'add rule ip6 podway refuse_unanswered ip6 daddr @service_cidrs reject with icmpv6 addr-unreachable',
      'add rule ip6 podway prerouting ip6 daddr . meta l4proto . th dport vmap @services',
    ],
  );
});
