import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Node } from '#kube-api';
import { FakeClock } from '#runtime';
import type { Pending } from '#service-proxy';
import { proxyHealth } from './proxy-health.ts';

test('proxyHealth: unhealthy until programmed and while changes wait too long; a leaving node is alive but takes nothing', () => {
  const clock = new FakeClock(1_000_000);
  const nothing: Pending = { services: 0, endpointSlices: 0, triggerTimes: [], since: undefined };
  let proxy: { lastUpdated: number | undefined; pending: Pending } = {
    lastUpdated: undefined,
    pending: nothing,
  };
  let node: Node = {};
  const { healthz, livez } = proxyHealth(
    () => proxy,
    () => node,
    clock,
  );
  const statuses = () => [healthz().status, livez().status];
  assert.deepEqual(statuses(), [503, 503]);
  proxy = { lastUpdated: 999_000, pending: nothing };
  assert.deepEqual(statuses(), [200, 200]);
  assert.deepEqual(JSON.parse(healthz().body), {
    lastUpdated: '1970-01-01T00:16:40.000Z',
    currentTime: '1970-01-01T00:16:40.000Z',
    nodeEligible: true,
  });
  proxy = { lastUpdated: 999_000, pending: { ...nothing, since: 999_500 } };
  assert.deepEqual(statuses(), [200, 200]);
  clock.advance(60_000);
  assert.deepEqual(statuses(), [503, 503]);
  assert.equal(JSON.parse(livez().body).lastUpdated, '1970-01-01T00:16:39.000Z');
  proxy = { lastUpdated: 999_000, pending: nothing };
  node = { spec: { taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }] } };
  assert.deepEqual(statuses(), [503, 200]);
  node = { metadata: { deletionTimestamp: '1970-01-01T00:00:00Z' } };
  assert.deepEqual(statuses(), [503, 200]);
  assert.deepEqual(
    [
      proxyHealth(
        () => undefined,
        () => node,
        clock,
      ).livez().status,
    ],
    [200],
  );
});
