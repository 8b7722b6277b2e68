import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ENDPOINT_SLICES, ENDPOINTS, type Endpoints } from '#kube-api';
import { isNotFound } from '#kube-client';
import { deleteCollection, slicesOf, watched } from './support/collections.ts';
import { TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { TestNamespace } from './support/test-namespace.ts';

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Endpoints and EndpointSlices: their API', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });

  async function endpointsOf(ns: TestNamespace, name: string): Promise<Endpoints> {
    return await lab.client.get(ENDPOINTS, { namespace: ns.name, name });
  }

  test('Services should test the lifecycle of an Endpoint [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'endpoint');
    const name = { namespace: ns.name, name: 'testservice' };
    const labels = { 'test-endpoint-static': 'true' };
    const events = await watched(
      ns,
      ENDPOINTS,
      async () => {
        const created = await lab.client.create(ENDPOINTS, {
          apiVersion: 'v1',
          kind: 'Endpoints',
          metadata: { ...name, labels },
          subsets: [{ addresses: [{ ip: '10.0.0.24' }], ports: [{ name: 'http', port: 80 }] }],
        });
        const { items } = await lab.client.list(ENDPOINTS, { labelSelector: 'test-endpoint-static=true' });
        assert.equal(items.length, 1);
        await lab.client.update(ENDPOINTS, {
          ...created,
          metadata: { ...created.metadata, labels: { ...labels, 'test-service': 'updated' } },
        });
        assert.equal((await lab.client.get(ENDPOINTS, name)).metadata?.labels?.['test-service'], 'updated');
        const patched = await lab.client.patch(ENDPOINTS, name, 'strategic-merge', {
          metadata: { labels: { 'test-service': 'patched' } },
          subsets: [{ addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'http-test', port: 8080 }] }],
        });
        assert.equal(patched.metadata?.labels?.['test-service'], 'patched');
        assert.partialDeepStrictEqual(patched.subsets, [
          { addresses: [{ ip: '10.0.0.25' }], ports: [{ name: 'http-test', port: 8080 }] },
        ]);
        await deleteCollection(lab, `/api/v1/namespaces/${ns.name}/endpoints`, 'test-endpoint-static=true');
      },
      ({ type }) => type === 'DELETED',
    );
    assert.deepEqual(
      events.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'],
    );
    await assert.rejects(lab.client.get(ENDPOINTS, name), isNotFound);
  });

  test('Service endpoints latency should not be very high [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'svc-latency');
    const pod = await ns.pod('svc-latency-rc', { labels: { name: 'svc-latency-rc' } });
    const latencies: number[] = [];
    for (let i = 0; i < 100; i++) {
      const started = performance.now();
      await ns.service(`latency-svc-${i}`, { selector: { name: 'svc-latency-rc' }, ports: [{ port: 80 }] });
      await retry(
        async () => {
          const { subsets } = await endpointsOf(ns, `latency-svc-${i}`);
          assert.equal(subsets?.[0]?.addresses?.[0]?.ip, pod.status?.podIP);
        },
        60_000,
        5,
      );
      latencies.push(performance.now() - started);
    }
    latencies.sort((a, b) => a - b);
    // The case's own, liberal thresholds.
    assert.ok((latencies[49] ?? Number.POSITIVE_INFINITY) < 20_000, `p50 ${latencies[49]} ms`);
    assert.ok((latencies[89] ?? Number.POSITIVE_INFINITY) < 50_000, `p90 ${latencies[89]} ms`);
  });

  test('EndpointSlice should have Endpoints and EndpointSlices pointing to API Server [Conformance]', async () => {
    const endpoints = await lab.client.get(ENDPOINTS, { namespace: 'default', name: 'kubernetes' });
    const addresses = endpoints.subsets?.flatMap((subset) => subset.addresses?.map(({ ip }) => ip) ?? []);
    assert.deepEqual(addresses, ['172.30.0.1']);
    const { items } = await lab.client.list(ENDPOINT_SLICES, {
      namespace: 'default',
      labelSelector: 'kubernetes.io/service-name=kubernetes',
    });
    assert.deepEqual(
      items.flatMap((slice) => slice.endpoints?.flatMap((endpoint) => endpoint.addresses) ?? []),
      addresses,
    );
    const client = await TestNamespace.create(lab, 'api-server');
    await client.client();
    const script = 'curl -sS -k -m 20 https://kubernetes.default.svc.cluster.local/livez';
    assert.equal(await client.output('client', 'sh', '-c', script), 'ok');
  });

  test('EndpointSlice should create and delete Endpoints and EndpointSlices for a Service with a selector specified [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'slices');
    await ns.service('example-empty-selector', {
      selector: { 'does-not-match-anything': 'endpoints-and-endpoint-slices-should-still-be-created' },
      ports: [{ name: 'example', port: 80 }],
    });
    await retry(async () => {
      assert.deepEqual((await endpointsOf(ns, 'example-empty-selector')).subsets ?? [], []);
      const slices = await slicesOf(ns, 'example-empty-selector');
      assert.deepEqual(
        slices.map(({ endpoints }) => endpoints ?? []),
        [[]],
      );
    });
    await ns.deleteService('example-empty-selector');
    await retry(async () => {
      await assert.rejects(endpointsOf(ns, 'example-empty-selector'), isNotFound);
      assert.deepEqual(await slicesOf(ns, 'example-empty-selector'), []);
    });
  });

  test('EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'slices');
    const server = (name: string, label: string) =>
      ns.netexec(name, label, {
        http: 3000,
        container: { ports: [{ name: 'example-name', containerPort: 3000 }] },
      });
    const [pod1, pod2] = await Promise.all([server('pod1', 'foo'), server('pod2', 'foo')]);
    await ns.service('example-int-port', {
      selector: { app: 'foo' },
      ports: [{ name: 'example', port: 80, targetPort: 3000 }],
    });
    await ns.service('example-named-port', {
      selector: { app: 'foo' },
      ports: [{ name: 'http', port: 80, targetPort: 'example-name' }],
    });
    await ns.service('example-no-match', {
      selector: { app: 'baz' },
      ports: [{ name: 'example-no-match', port: 80, targetPort: 3000 }],
    });
    const ips = [pod1, pod2].map(({ status }) => status?.podIP ?? '').sort();
    for (const [service, port] of [
      ['example-int-port', 'example'],
      ['example-named-port', 'http'],
    ] as const)
      await retry(async () => {
        const [subset, ...more] = (await endpointsOf(ns, service)).subsets ?? [];
        assert.deepEqual(more, []);
        assert.deepEqual(subset?.addresses?.map(({ ip }) => ip).sort(), ips);
        assert.partialDeepStrictEqual(subset?.ports, [{ name: port, port: 3000, protocol: 'TCP' }]);
        const slices = await slicesOf(ns, service);
        assert.equal(slices.length, 1);
        assert.equal(slices[0]?.addressType, 'IPv4');
        assert.partialDeepStrictEqual(slices[0]?.ports, [{ name: port, port: 3000, protocol: 'TCP' }]);
        assert.deepEqual(slices[0]?.endpoints?.flatMap(({ addresses }) => addresses).sort(), ips);
        for (const { conditions, nodeName, targetRef } of slices[0]?.endpoints ?? []) {
          assert.deepEqual(conditions, { ready: true, serving: true, terminating: false });
          assert.match(nodeName ?? '', /^node\d$/);
          assert.equal(targetRef?.kind, 'Pod');
        }
      });
    await retry(async () =>
      assert.deepEqual(
        (await slicesOf(ns, 'example-no-match')).map(({ endpoints }) => endpoints ?? []),
        [[]],
      ),
    );
  });

  test('EndpointSlice should support creating EndpointSlice API operations [Conformance]', async () => {
    const groups = JSON.parse(await lab.kubectl('get', '--raw', '/apis/discovery.k8s.io'));
    assert.partialDeepStrictEqual(groups.versions, [{ version: 'v1' }]);
    const resources = JSON.parse(await lab.kubectl('get', '--raw', '/apis/discovery.k8s.io/v1'));
    const { verbs } = resources.resources.find((one: { name: string }) => one.name === 'endpointslices');
    assert.deepEqual([...verbs].sort(), [
      'create',
      'delete',
      'deletecollection',
      'get',
      'list',
      'patch',
      'update',
      'watch',
    ]);
    const ns = await TestNamespace.create(lab, 'slice-api');
    const labels = { 'special-label': 'special' };
    const create = (generateName: string) =>
      lab.client.create(ENDPOINT_SLICES, {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { namespace: ns.name, generateName, labels },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['1.2.3.4', '5.6.7.8'] }],
        ports: [],
      });
    const events = await watched(
      ns,
      ENDPOINT_SLICES,
      async () => {
        const created = await create('e2e-example-ing');
        const name = { namespace: ns.name, name: created.metadata?.name ?? '' };
        assert.equal((await lab.client.get(ENDPOINT_SLICES, name)).metadata?.uid, created.metadata?.uid);
        const listed = await lab.client.list(ENDPOINT_SLICES, { labelSelector: 'special-label=special' });
        assert.equal(listed.items.length, 1);
        const patched = await lab.client.patch(ENDPOINT_SLICES, name, 'merge', {
          metadata: { annotations: { patched: 'true' } },
        });
        assert.equal(patched.metadata?.annotations?.['patched'], 'true');
        const updated = await lab.client.update(ENDPOINT_SLICES, {
          ...patched,
          metadata: {
            ...patched.metadata,
            annotations: { ...patched.metadata?.annotations, updated: 'true' },
          },
        });
        assert.equal(updated.metadata?.annotations?.['updated'], 'true');
        await lab.client.delete(ENDPOINT_SLICES, name);
        await assert.rejects(lab.client.get(ENDPOINT_SLICES, name), isNotFound);
      },
      ({ type }) => type === 'DELETED',
    );
    assert.deepEqual(
      events.map(({ type }) => type),
      ['ADDED', 'MODIFIED', 'MODIFIED', 'DELETED'],
    );
    await Promise.all(['a', 'b', 'c'].map(create));
    const path = `/apis/discovery.k8s.io/v1/namespaces/${ns.name}/endpointslices`;
    await deleteCollection(lab, path, 'special-label=special');
    assert.deepEqual((await lab.client.list(ENDPOINT_SLICES, { namespace: ns.name })).items, []);
  });
});
