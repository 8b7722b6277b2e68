import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { balancedService, service, slice } from './behaviour/cluster.ts';
import { proxyParts } from './testing/proxy-parts.ts';

describe('createServiceProxy', () => {
  test('a kernel that cannot do it: the log says what is missing', async () => {
    const { backend, records, launch, run } = proxyParts();
    backend.missing = ['missing: NAT'];
    backend.broken = true;
    await using proxy = launch();
    await run();
    assert.match(String(records[0]?.fields['error']), /cannot be carried by recording: missing: NAT/);
    assert.equal(proxy.lastUpdated, undefined);
  });

  test('a burst of changes is one apply, with the Services that differ', async () => {
    const { backend, services, slices, launch, run } = proxyParts();
    await using _proxy = launch();
    await run();
    backend.calls.length = 0;
    services.set(
      service({ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }, { metadata: { name: 'other' } }),
    );
    slices.set(slice(['b', 'c']));
    slices.set(slice(['b', 'c', 'd']));
    await run();
    assert.deepEqual(backend.calls, ['apply default/other default/web']);
    assert.match(backend.table, /10\.244\.1\.11:8080\* 10\.244\.2\.10:8080 10\.244\.2\.11:8080/);
  });

  test('a failed apply is repeated with the same Services and those that came since', async () => {
    const { backend, services, launch, run } = proxyParts();
    await using proxy = launch();
    backend.broken = true;
    await run();
    services.set(
      service({ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }, { metadata: { name: 'other' } }),
    );
    assert.deepEqual(proxy.pending, { services: 2, endpointSlices: 1, triggerTimes: [], since: 1_000 });
    backend.broken = false;
    await run(100);
    assert.equal(proxy.pending.since, undefined);
    assert.deepEqual(backend.calls, ['observe', 'apply default/web', 'apply default/other default/web']);
  });

  test('what someone else broke is observed and written again', async () => {
    const { backend, launch, run } = proxyParts();
    await using _proxy = launch();
    await run();
    backend.calls.length = 0;
    await run(2_000);
    assert.deepEqual(backend.calls, ['apply']);
    backend.whole = false;
    await run(2_000);
    assert.deepEqual(backend.calls, ['apply', 'observe', 'apply']);
  });

  test('onSync: says what was done and how long Pods’ changes took, healthChecks: what to answer', async () => {
    const { services, slices, reports, checks, launch, run } = proxyParts();
    const policy = { externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 };
    services.set(balancedService(policy));
    await using _proxy = launch();
    await run();
    assert.deepEqual(checks.get('default/web'), { port: 32_000, localEndpoints: 1 });
    const changed = slice(['c']);
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': '1970-01-01T00:00:00Z' };
    slices.set({ ...changed, metadata: { ...changed.metadata, annotations } });
    await run();
    const { seconds, programmingSeconds, ...report } = reports.at(-1) ?? assert.fail('no report');
    assert.deepEqual(report, {
      full: false,
      changedServices: 1,
      serviceChanges: 0,
      endpointSliceChanges: 1,
      writes: 0,
      deletedFlows: 0,
      flowSeconds: undefined,
      queued: 1010,
      withoutLocalEndpoints: { internal: 0, external: 1 },
    });
    assert.equal(reports[0]?.full, true);
    assert.deepEqual(programmingSeconds, [1.02]);
    assert.ok(seconds >= 0);
    assert.deepEqual(checks.get('default/web'), { port: 32_000, localEndpoints: 0 });
    services.delete(balancedService(policy));
    await run();
    assert.equal(checks.get('default/web'), undefined);
  });

  test('disposing stops it and leaves what is programmed', async () => {
    const { backend, slices, launch, run } = proxyParts();
    const proxy = launch();
    await run();
    await proxy[Symbol.asyncDispose]();
    backend.calls.length = 0;
    slices.set(slice(['c']));
    await run(10_000);
    assert.deepEqual(backend.calls, []);
  });
});
