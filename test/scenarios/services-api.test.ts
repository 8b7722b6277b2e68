import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  ENDPOINT_SLICES,
  ENDPOINTS,
  type EndpointSlice,
  type Endpoints,
  type Resource,
  SERVICES,
  type Service,
} from '#kube-api';
import { isNotFound, type WatchEvent } from '#kube-client';
import { eventually } from './support/eventually.ts';
import { startLab, type TestLab } from './support/lab.ts';
import { clusterIp, TestNamespace } from './support/test-namespace.ts';

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services, Endpoints and EndpointSlices: their API', () => {
  let lab: TestLab;

  before(async () => {
    lab = await startLab({ nodes: 2 });
  });
  after(async () => {
    await lab?.[Symbol.asyncDispose]();
  });

  /** What happens to a collection from now on, until `done` is seen. */
  async function watched<T>(
    resource: Resource<T>,
    ns: TestNamespace,
    act: () => Promise<void>,
    done: (event: WatchEvent<T>) => boolean,
  ): Promise<readonly WatchEvent<T>[]> {
    const { resourceVersion } = await lab.client.list(resource, { namespace: ns.name });
    const stop = AbortSignal.timeout(20_000);
    const events: WatchEvent<T>[] = [];
    const acted = act();
    for await (const event of lab.client.watch(resource, {
      namespace: ns.name,
      resourceVersion,
      signal: stop,
    })) {
      if (event.type !== 'BOOKMARK') events.push(event);
      if (done(event)) break;
    }
    await acted;
    return events;
  }

  /** DELETE of a whole collection, as far as the selector reaches. */
  async function deleteCollection(path: string, labelSelector: string): Promise<void> {
    await lab.kubectl('delete', '--raw', `${path}?labelSelector=${encodeURIComponent(labelSelector)}`);
  }

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
      SERVICES,
      ns,
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
    await deleteCollection(`/api/v1/namespaces/${ns.name}/services`, 'e2e-test-service=delete');
    const { items } = await lab.client.list(SERVICES, { namespace: ns.name });
    assert.deepEqual(
      items.map(({ metadata }) => metadata?.name),
      ['e2e-svc-c'],
    );
  });

  test('Services should test the lifecycle of an Endpoint [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'endpoint');
    const name = { namespace: ns.name, name: 'testservice' };
    const labels = { 'test-endpoint-static': 'true' };
    const events = await watched(
      ENDPOINTS,
      ns,
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
        await deleteCollection(`/api/v1/namespaces/${ns.name}/endpoints`, 'test-endpoint-static=true');
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
      await eventually(
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

  async function endpointsOf(ns: TestNamespace, name: string): Promise<Endpoints> {
    return await lab.client.get(ENDPOINTS, { namespace: ns.name, name });
  }

  async function slicesOf(ns: TestNamespace, service: string): Promise<readonly EndpointSlice[]> {
    const labelSelector = `kubernetes.io/service-name=${service}`;
    return (await lab.client.list(ENDPOINT_SLICES, { namespace: ns.name, labelSelector })).items;
  }

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
    const script = 'curl -sS -k -m 5 https://kubernetes.default.svc.cluster.local/livez';
    assert.equal(await client.output('client', 'sh', '-c', script), 'ok');
  });

  test('EndpointSlice should create and delete Endpoints and EndpointSlices for a Service with a selector specified [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'slices');
    await ns.service('example-empty-selector', {
      selector: { 'does-not-match-anything': 'endpoints-and-endpoint-slices-should-still-be-created' },
      ports: [{ name: 'example', port: 80 }],
    });
    await eventually(async () => {
      assert.deepEqual((await endpointsOf(ns, 'example-empty-selector')).subsets ?? [], []);
      const slices = await slicesOf(ns, 'example-empty-selector');
      assert.deepEqual(
        slices.map(({ endpoints }) => endpoints ?? []),
        [[]],
      );
    });
    await ns.deleteService('example-empty-selector');
    await eventually(async () => {
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
      await eventually(async () => {
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
    await eventually(async () =>
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
      ENDPOINT_SLICES,
      ns,
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
    await deleteCollection(path, 'special-label=special');
    assert.deepEqual((await lab.client.list(ENDPOINT_SLICES, { namespace: ns.name })).items, []);
  });

  /** A Service without selector: its slices are the case's own. */
  async function withoutSelector(ns: TestNamespace, ports: Service['spec'] & object): Promise<Service> {
    return await lab.client.create(SERVICES, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: ns.name, name: 'example-custom-endpoints' },
      spec: ports,
    });
  }

  const customSlice = (ns: TestNamespace, name: string, ip: string, ports: EndpointSlice['ports'] & object) =>
    lab.client.create(ENDPOINT_SLICES, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        namespace: ns.name,
        name,
        labels: {
          'kubernetes.io/service-name': 'example-custom-endpoints',
          'endpointslice.kubernetes.io/managed-by': 'e2e-test.example.com',
        },
      },
      addressType: 'IPv4',
      endpoints: [{ addresses: [ip] }],
      ports,
    });

  test('EndpointSlice should support a Service with multiple ports specified in multiple EndpointSlices', async () => {
    const ns = await TestNamespace.create(lab, 'custom-slices');
    const service = await withoutSelector(ns, {
      ports: [
        { name: 'portname1', port: 80, targetPort: 3000 },
        { name: 'portname2', port: 81, targetPort: 3001 },
      ],
    });
    const [, pod1, pod2] = await Promise.all([
      ns.client(),
      ns.netexec('pod1', 'custom', { http: 3000 }),
      ns.netexec('pod2', 'custom', { http: 3001 }),
    ]);
    await customSlice(ns, 'slice-1', pod1.status?.podIP ?? '', [{ name: 'portname1', port: 3000 }]);
    await customSlice(ns, 'slice-2', pod2.status?.podIP ?? '', [{ name: 'portname2', port: 3001 }]);
    await ns.servedBy('client', `${clusterIp(service)}:80`, ['pod1']);
    await ns.servedBy('client', `${clusterIp(service)}:81`, ['pod2']);
  });

  test('EndpointSlice should support a Service with multiple endpoint IPs specified in multiple EndpointSlices', async () => {
    const ns = await TestNamespace.create(lab, 'custom-slices');
    const service = await withoutSelector(ns, {
      ports: [{ name: 'portname1', port: 80, targetPort: 3000 }],
    });
    const [, pod1, pod2] = await Promise.all([
      ns.client(),
      ns.netexec('pod1', 'custom', { http: 3000 }),
      ns.netexec('pod2', 'custom', { http: 3000 }),
    ]);
    await customSlice(ns, 'slice-1', pod1.status?.podIP ?? '', [{ name: 'portname1', port: 3000 }]);
    await customSlice(ns, 'slice-2', pod2.status?.podIP ?? '', [{ name: 'portname1', port: 3000 }]);
    await ns.servedBy('client', `${clusterIp(service)}:80`, ['pod1', 'pod2']);
  });

  test('EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'mirroring');
    await withoutSelector(ns, { ports: [{ name: 'example', port: 80 }] });
    const name = { namespace: ns.name, name: 'example-custom-endpoints' };
    const subsets = (ip: string): Endpoints['subsets'] & object => [
      { addresses: [{ ip }], ports: [{ name: 'example', port: 80, protocol: 'TCP' }] },
    ];
    const mirrored = (ip: string) =>
      eventually(async () => {
        const slices = await slicesOf(ns, 'example-custom-endpoints');
        assert.deepEqual(
          slices.map(({ endpoints, metadata }) => [
            metadata?.labels?.['endpointslice.kubernetes.io/managed-by'],
            endpoints?.flatMap(({ addresses }) => addresses),
          ]),
          [['endpointslicemirroring-controller.k8s.io', [ip]]],
        );
      });
    const created = await lab.client.create(ENDPOINTS, {
      apiVersion: 'v1',
      kind: 'Endpoints',
      metadata: name,
      subsets: subsets('10.1.2.3'),
    });
    await mirrored('10.1.2.3');
    await lab.client.update(ENDPOINTS, { ...created, subsets: subsets('10.2.3.4') });
    await mirrored('10.2.3.4');
    await lab.client.delete(ENDPOINTS, name);
    await eventually(async () => assert.deepEqual(await slicesOf(ns, 'example-custom-endpoints'), []));
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
