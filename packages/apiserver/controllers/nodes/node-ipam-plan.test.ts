import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '#ip';
import { at, node } from '../testing/objects.ts';
import { planNodeIpam } from './node-ipam-plan.ts';

const four = { cidr: parsePrefix('10.244.0.0/16'), nodeLength: 24 };
const six = { cidr: parsePrefix('fd00:10:244::/48'), nodeLength: 64 };
const made = (name: string, age: number) => node(name, { metadata: { creationTimestamp: at(-age) } });
const given = (name: string, ...podCIDRs: string[]) =>
  node(name, { spec: { podCIDR: podCIDRs[0] ?? '', podCIDRs } });

test('planNodeIpam: the lowest free network of each family, the longest-waiting node first', () => {
  const { assign, without } = planNodeIpam(
    [four, six],
    [made('b', 1), made('a', 9), given('c', '10.244.0.0/24')],
  );
  assert.deepEqual(
    [...assign],
    [
      ['a', ['10.244.1.0/24', 'fd00:10:244::/64']],
      ['b', ['10.244.2.0/24', 'fd00:10:244:1::/64']],
    ],
  );
  assert.deepEqual(without, []);
});

test('planNodeIpam: nodes of one moment in the order people count', () => {
  const { assign } = planNodeIpam([four], [node('node10'), node('node2'), node('node1')]);
  assert.deepEqual([...assign.keys()], ['node1', 'node2', 'node10']);
});

test('planNodeIpam: a node keeps what it has, whatever its size', () => {
  const { assign } = planNodeIpam([four], [given('a', '10.244.0.0/23'), node('b')]);
  assert.deepEqual([...assign], [['b', ['10.244.2.0/24']]]);
});

test('planNodeIpam: when a range is used up the node is named', () => {
  const small = { cidr: parsePrefix('10.0.0.0/23'), nodeLength: 24 };
  const { assign, without } = planNodeIpam([small, six], [node('a'), node('b'), node('c')]);
  assert.deepEqual([[...assign.keys()], without], [['a', 'b'], ['c']]);
});

test('planNodeIpam: without ranges nothing is given', () => {
  assert.equal(planNodeIpam([], [node('a')]).assign.size, 0);
});
