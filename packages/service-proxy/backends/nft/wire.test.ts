import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SHAPE } from '../nftables/structure.ts';
import type { NftElement } from './model.ts';
import { elementChange } from './wire.ts';

const change = (op: 'add' | 'delete', element: NftElement, family: 'IPv4' | 'IPv6') => {
  const set = SHAPE.sets.find(({ name }) => name === element.set);
  assert.ok(set);
  return elementChange(op, element, set, family, SHAPE.name);
};

const hex = (parts: readonly Uint8Array[]) =>
  parts.map((part) => Buffer.from(part).toString('hex')).join(' ');

test('elementChange: addresses and ports in network order, slots in the host’s', () => {
  const added = change(
    'add',
    { set: 'tcp_endpoints', key: '10.96.0.1 . 80 . 2', value: '10.244.1.2 . 8080' },
    'IPv4',
  );
  assert.equal(hex(added.key), '0a600001 0050 02000000');
  assert.ok(added.data !== undefined && 'value' in added.data);
  assert.equal(hex(added.data.value), '0af40102 1f90');
  assert.deepEqual(
    [added.op, added.family, added.table, added.set],
    ['add', 'ip', 'podway', 'tcp_endpoints'],
  );
});

test('elementChange: verdicts and sets', () => {
  const goto = change('delete', { set: 'services', key: 'fd00::1 . sctp . 9', value: 'goto ep3' }, 'IPv6');
  assert.equal(hex(goto.key), 'fd000000000000000000000000000001 84 0009');
  assert.deepEqual(goto.data, { verdict: { kind: 'goto', chain: 'ep3' } });
  assert.equal(goto.family, 'ip6');
  const drop = change('add', { set: 'services', key: '10.96.0.1 . udp . 53', value: 'drop' }, 'IPv4');
  assert.deepEqual(drop.data, { verdict: { kind: 'drop' } });
  assert.equal(change('add', { set: 'cluster_ips', key: '10.96.0.1', value: '' }, 'IPv4').data, undefined);
});
