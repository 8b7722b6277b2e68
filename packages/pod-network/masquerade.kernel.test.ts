import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { parseIp, parsePrefix } from '#ip';
import { sandboxedKernel } from '#kernel';
import { MasqueradeTable, planMasquerade } from './masquerade.ts';

const nft = (...words: readonly string[]) => execFileSync('nft', words, { encoding: 'utf8' });
const list = () => nft('list', 'table', 'inet', 'podway-masq');
const plan = (...nodes: readonly string[]) =>
  planMasquerade(
    [parsePrefix('10.244.1.0/24'), parsePrefix('fd00:1::/64')],
    [parsePrefix('10.244.0.0/16')],
    nodes.map((text) => parseIp(text)),
  );

test('MasqueradeTable: writes what differs, repairs what others did, goes without a trace', async () => {
  using netns = sandboxedKernel().currentNetns();
  const table = new MasqueradeTable(netns.nft);
  assert.equal(await table.apply(plan('172.30.0.11')), true);
  const whole = list();
  assert.match(whole, /10\.244\.1\.0\/24.*masquerade[\s\S]*fd00:1::\/64.*masquerade/);
  assert.equal(await table.apply(plan('172.30.0.11')), false, 'nothing has changed');
  assert.equal(
    await new MasqueradeTable(netns.nft).apply(plan('172.30.0.11')),
    false,
    'a restarted agent finds it whole',
  );

  for (const damage of [
    ['delete', 'table', 'inet', 'podway-masq'],
    ['flush', 'chain', 'inet', 'podway-masq', 'postrouting'],
    ['add', 'rule', 'inet', 'podway-masq', 'postrouting', 'masquerade'],
    ['flush', 'set', 'inet', 'podway-masq', 'nodes4'],
    ['add', 'element', 'inet', 'podway-masq', 'nodes4', '{ 192.0.2.1 }'],
  ]) {
    nft(...damage);
    assert.equal(await table.apply(plan('172.30.0.11')), true, damage.join(' '));
    assert.equal(list(), whole, damage.join(' '));
  }

  nft('add', 'table', 'inet', 'of-others');
  assert.equal(await table.apply(plan('172.30.0.11')), false, 'somebody else’s table is none of ours');
  assert.equal(await table.apply(plan('172.30.0.11', '172.30.0.12')), true);
  assert.match(list(), /elements = \{ 172\.30\.0\.11, 172\.30\.0\.12 \}/);
  assert.equal(await table.apply(undefined), true);
  assert.equal(nft('list', 'tables'), 'table inet of-others\n');
});
