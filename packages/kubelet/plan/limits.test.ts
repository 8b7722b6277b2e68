import assert from 'node:assert/strict';
import test from 'node:test';
import { containerLimits, podLimits, wantsLimits } from './limits.ts';

const container = (requests?: Record<string, string>, limits?: Record<string, string>) => ({
  name: 'main',
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
});

test('containerLimits: requests are shares, limits are limits, and a request not given is the limit', () => {
  assert.deepEqual(containerLimits(container({ cpu: '250m' }, { cpu: '1.5', memory: '64Mi' })), {
    cpuRequestMilli: 250,
    cpuLimitMilli: 1500,
    memoryLimit: 67_108_864,
  });
  assert.equal(containerLimits(container(undefined, { cpu: '0.1' })).cpuRequestMilli, 100);
  assert.deepEqual(containerLimits(container()), {
    cpuRequestMilli: 0,
    cpuLimitMilli: undefined,
    memoryLimit: undefined,
  });
});

test('podLimits: containers and sidecars together, or the largest init container', () => {
  const sidecar = { ...container({ cpu: '100m' }), restartPolicy: 'Always' };
  const spec = (init: string) => ({
    initContainers: [container({ cpu: init }), sidecar],
    containers: [container({ cpu: '200m' }), container()],
  });
  assert.deepEqual(podLimits({ spec: spec('50m') }, 100), { cpuRequestMilli: 300, pidsLimit: 100 });
  assert.deepEqual(podLimits({ spec: spec('2') }, undefined), {
    cpuRequestMilli: 2000,
    pidsLimit: undefined,
  });
});

test('wantsLimits: limits, not requests', () => {
  assert.equal(wantsLimits(container({ cpu: '1', memory: '1Gi' })), false);
  assert.equal(wantsLimits(container(undefined, { memory: '1Gi' })), true);
});
