import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProxyMechanism } from '#service-proxy';
import { switchProxy } from './switch-proxy.ts';

/** Agents that carry by nftables, and what they were told, in order. */
function agents(count: number, cannot: (agent: number, mechanism: ProxyMechanism) => boolean) {
  const now: ProxyMechanism[] = Array.from({ length: count }, () => 'nftables');
  const told: string[] = [];
  const each = now.map((_, i) => ({
    async carryBy(mechanism: ProxyMechanism) {
      told.push(`${i} ${mechanism}`);
      await new Promise(setImmediate);
      if (cannot(i, mechanism)) throw new Error(`${i} cannot`);
      now[i] = mechanism;
    },
  }));
  return { each, now, told };
}

test('switchProxy: one node after the other', async () => {
  const { each, now, told } = agents(3, () => false);
  await switchProxy(each, 'nftables', 'iptables');
  assert.deepEqual(now, ['iptables', 'iptables', 'iptables']);
  assert.deepEqual(told, ['0 iptables', '1 iptables', '2 iptables']);
});

test('switchProxy: when one cannot, those that have begun go back, the others are left alone', async () => {
  const { each, now, told } = agents(3, (agent, mechanism) => agent === 1 && mechanism === 'ipvs');
  await assert.rejects(switchProxy(each, 'nftables', 'ipvs'), /^Error: 1 cannot$/);
  assert.deepEqual(now, ['nftables', 'nftables', 'nftables']);
  assert.deepEqual(told.slice(0, 2), ['0 ipvs', '1 ipvs']);
  assert.deepEqual(told.slice(2).sort(), ['0 nftables', '1 nftables']);
});
