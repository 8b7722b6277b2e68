import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  ENDPOINT_SLICES,
  ENDPOINTS,
  type EndpointSlice,
  type Endpoints,
  SERVICES,
  type Service,
} from '#kube-api';
import { slicesOf } from './support/collections.ts';
import { TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { clusterIp, TestNamespace } from './support/test-namespace.ts';

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services without a selector: endpoints of their own', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });

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
      retry(async () => {
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
    await retry(async () => assert.deepEqual(await slicesOf(ns, 'example-custom-endpoints'), []));
  });
});
