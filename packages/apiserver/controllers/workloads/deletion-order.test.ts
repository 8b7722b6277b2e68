import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, pod } from '../testing/objects.ts';
import { deletionOrder } from './deletion-order.ts';

const cost = (value: string) => ({ annotations: { 'controller.kubernetes.io/pod-deletion-cost': value } });

test('deletionOrder: each rule decides where those before it do not', () => {
  const table = [
    ['without a node first', pod('x'), pod('y', { node: 'n' })],
    ['then pending', pod('x', { node: 'n', phase: 'Pending' }), pod('y', { node: 'm' })],
    ['then not ready', pod('x', { node: 'n' }), pod('y', { node: 'm', readySince: 0 })],
    [
      'then cheap',
      pod('x', { node: 'n', metadata: cost('-5') }),
      pod('y', { node: 'm', metadata: cost('1') }),
    ],
    [
      'then ready for less long',
      pod('x', { node: 'n', readySince: 9 }),
      pod('y', { node: 'm', readySince: 1 }),
    ],
    ['then restarted more', pod('x', { node: 'n', restarts: 3 }), pod('y', { node: 'm', restarts: 1 })],
    [
      'then newer',
      pod('x', { node: 'n', metadata: { creationTimestamp: at(5) } }),
      pod('y', { node: 'm', metadata: { creationTimestamp: at(1) } }),
    ],
    ['then by name', pod('a', { node: 'n' }), pod('b', { node: 'm' })],
  ] as const;
  for (const [what, first, second] of table)
    for (const pods of [
      [first, second],
      [second, first],
    ])
      assert.equal(deletionOrder(pods)[0], first, what);
});

test('deletionOrder: Pods that crowd a node go before those alone on theirs', () => {
  const pods = [
    pod('alone', { node: 'n1', readySince: 0 }),
    pod('crowd-a', { node: 'n2', readySince: 0 }),
    pod('crowd-b', { node: 'n2', readySince: 0 }),
  ];
  assert.equal(deletionOrder(pods).at(-1)?.metadata.name, 'alone');
});
