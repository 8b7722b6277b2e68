import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PodSpec, ResourceRequirements } from './generated/types.ts';
import { qosClass } from './qos-class.ts';

const withResources = (...list: readonly ResourceRequirements[]): PodSpec => ({
  containers: list.map((resources, i) => ({ name: `c${i}`, image: 'x', resources })),
});

for (const [expected, ...resources] of [
  ['BestEffort', {}],
  ['BestEffort', { limits: { 'example.com/device': '1' } }],
  ['Burstable', { requests: { cpu: '1' } }],
  ['Guaranteed', { limits: { cpu: '1', memory: '1Gi' } }],
  ['Guaranteed', { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1' } }],
  ['Burstable', { limits: { cpu: '1', memory: '1Gi' } }, {}],
  ['Burstable', { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }],
] as const)
  test(`qosClass: ${JSON.stringify(resources)}`, () =>
    assert.equal(qosClass(withResources(...resources)), expected));

test('qosClass: init containers count', () => {
  const limits = { cpu: '1', memory: '1Gi' };
  const initContainers = [{ name: 'first', image: 'x' }];
  assert.equal(qosClass({ ...withResources({ limits }), initContainers }), 'Burstable');
});
