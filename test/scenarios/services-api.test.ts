import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SERVICES, type Service } from '#kube-api';
import { deleteCollection, watched } from './support/collections.ts';
import { TestLab } from './support/lab.ts';
import { clusterIp, TestNamespace } from './support/test-namespace.ts';

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services: their API', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });

  test('Services should provide secure master service [Conformance]', async () => {
    const service = await lab.client.get(SERVICES, { namespace: 'default', name: 'kubernetes' });
    assert.deepEqual(
      service.spec?.ports?.map(({ name, port, protocol }) => ({ name, port, protocol })),
      [{ name: 'https', port: 443, protocol: 'TCP' }],
    );
  });

  test('Services should find a service from listing all namespaces [Conformance]', async () => {
    const { items } = await lab.client.list(SERVICES);
    assert.ok(
      items.some(({ metadata }) => metadata?.namespace === 'default' && metadata.name === 'kubernetes'),
    );
  });

  test('Services should complete a service status lifecycle [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'status');
    const name = { namespace: ns.name, name: 'test-service' };
    const events = await watched(
      ns,
      SERVICES,
      async () => {
        await ns.service(
          'test-service',
          { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }] },
          {
            labels: { 'test-service-static': 'true' },
          },
        );
        const raw = `/api/v1/namespaces/${ns.name}/services/test-service/status`;
        const read: Service = JSON.parse(await lab.kubectl('get', '--raw', raw));
        assert.deepEqual(read.status, { loadBalancer: {} });
        const patched = await lab.client.patch(
          SERVICES,
          name,
          'merge',
          {
            metadata: { annotations: { patchedstatus: 'true' } },
            status: { loadBalancer: { ingress: [{ ip: '203.0.113.1' }] } },
          },
          'status',
        );
        assert.equal(patched.metadata?.annotations?.['patchedstatus'], 'true');
        assert.equal(patched.status?.loadBalancer?.ingress?.[0]?.ip, '203.0.113.1');
        const condition = {
          type: 'StatusUpdate',
          status: 'True',
          reason: 'E2E',
          message: 'Set from e2e test',
        };
        const updated = await lab.client.update(
          SERVICES,
          {
            ...patched,
            status: {
              ...patched.status,
              conditions: [{ ...condition, lastTransitionTime: '2026-01-01T00:00:00Z' }],
            },
          },
          'status',
        );
        assert.partialDeepStrictEqual(updated.status?.conditions, [condition]);
        const relabelled = await lab.client.patch(SERVICES, name, 'strategic-merge', {
          metadata: { labels: { 'test-service': 'patched' } },
        });
        assert.equal(relabelled.metadata?.labels?.['test-service'], 'patched');
        assert.deepEqual(relabelled.status, updated.status);
        await ns.deleteService('test-service');
      },
      ({ type }) => type === 'DELETED',
    );
    assert.deepEqual(
      events.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'MODIFIED', 'MODIFIED', 'DELETED'],
    );
  });

  test('Services should delete a collection of services [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'collection');
    const labels = { 'e2e-test-service': 'delete' };
    for (const [name, which] of [
      ['e2e-svc-a', labels],
      ['e2e-svc-b', labels],
      ['e2e-svc-c', {}],
    ] as const)
      await ns.service(name, { ports: [{ port: 8001 }] }, { labels: which });
    assert.equal((await lab.client.list(SERVICES, { namespace: ns.name })).items.length, 3);
    await deleteCollection(lab, `/api/v1/namespaces/${ns.name}/services`, 'e2e-test-service=delete');
    const { items } = await lab.client.list(SERVICES, { namespace: ns.name });
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.name),
      ['e2e-svc-c'],
    );
  });

  test('Services should create a ClusterIP Service with SCTP ports', async () => {
    const ns = await TestNamespace.create(lab, 'sctp');
    const service = await ns.service('sctp-clusterip', { ports: [{ port: 5060, protocol: 'SCTP' }] });
    assert.match(clusterIp(service), /^10\.96\./);
    assert.equal(service.spec?.ports?.[0]?.protocol, 'SCTP');
  });

  test('Services should allow creating a basic SCTP service with pod and endpoints', async () => {
    const ns = await TestNamespace.create(lab, 'sctp');
    await ns.service('sctp-endpoint-test', { ports: [{ port: 5060, targetPort: 5060, protocol: 'SCTP' }] });
    await ns.endpoints('sctp-endpoint-test', {});
    await ns.pod('pod1', {
      labels: { app: 'sctp-endpoint-test' },
      container: { ports: [{ containerPort: 5060, protocol: 'SCTP' }] },
    });
    await ns.endpoints('sctp-endpoint-test', { pod1: [5060] });
    await ns.deletePod('pod1');
    await ns.endpoints('sctp-endpoint-test', {});
  });
});
