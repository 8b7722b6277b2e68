import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Service } from '#kube-api';
import { TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { clusterIp, TestNamespace } from './support/test-namespace.ts';

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services: cluster IP', () => {
  const lab = TestLab.ofSuite();

  test('should serve a basic endpoint from pods [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'basic');
    const service = await ns.service('endpoint-test2', { ports: [{ port: 80, targetPort: 80 }] });
    const target = `${clusterIp(service)}:80`;
    await ns.client();
    await ns.endpoints('endpoint-test2', {});
    await ns.netexec('pod1', 'endpoint-test2', { node: 'node1' });
    await ns.endpoints('endpoint-test2', { pod1: [80] });
    await ns.servedBy('client', target, ['pod1']);
    await ns.netexec('pod2', 'endpoint-test2', { node: 'node2' });
    await ns.endpoints('endpoint-test2', { pod1: [80], pod2: [80] });
    await ns.servedBy('client', target, ['pod1', 'pod2']);
    await ns.servedBy('client', 'endpoint-test2:80', ['pod1', 'pod2']);
    await ns.deletePod('pod1');
    await ns.endpoints('endpoint-test2', { pod2: [80] });
    await ns.servedBy('client', target, ['pod2']);
    await ns.deletePod('pod2');
    await ns.endpoints('endpoint-test2', {});
    await ns.refused('client', target);
  });

  test('should serve multiport endpoints from pods [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'multiport');
    const service = await ns.service('multi-endpoint-test', {
      selector: { app: 'multi' },
      ports: [
        { name: 'portname1', port: 80, targetPort: 'svc1' },
        { name: 'portname2', port: 81, targetPort: 'svc2' },
      ],
    });
    const [first, second] = [`${clusterIp(service)}:80`, `${clusterIp(service)}:81`];
    await ns.client();
    await ns.endpoints('multi-endpoint-test', {});
    const server = (name: string, http: number, port: string) =>
      ns.netexec(name, 'multi', { http, container: { ports: [{ name: port, containerPort: http }] } });
    await server('pod1', 100, 'svc1');
    await ns.endpoints('multi-endpoint-test', { pod1: [100] });
    await server('pod2', 101, 'svc2');
    await ns.endpoints('multi-endpoint-test', { pod1: [100], pod2: [101] });
    await ns.servedBy('client', first, ['pod1']);
    await ns.servedBy('client', second, ['pod2']);
    await ns.deletePod('pod1');
    await ns.endpoints('multi-endpoint-test', { pod2: [101] });
    await ns.refused('client', first);
    await ns.servedBy('client', second, ['pod2']);
    await ns.deletePod('pod2');
    await ns.endpoints('multi-endpoint-test', {});
    await ns.refused('client', second);
  });

  test('should serve endpoints on same port and different protocols [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'protocols');
    const tcp = { name: 'tcp', port: 80, targetPort: 80, protocol: 'TCP' } as const;
    const udp = { name: 'udp', port: 80, targetPort: 80, protocol: 'UDP' } as const;
    const service = await ns.service('multiprotocol-test', { ports: [tcp, udp] });
    const target = `${clusterIp(service)}:80`;
    await Promise.all([ns.client(), ns.netexec('pod1', 'multiprotocol-test', { http: 80, udp: 80 })]);
    await ns.endpoints('multiprotocol-test', { pod1: [80] });
    await ns.servedBy('client', target, ['pod1']);
    await ns.servedByUdp('client', target, ['pod1']);
    const only = (port: typeof tcp | typeof udp) =>
      ns.updateService('multiprotocol-test', (old) => ({ ...old, spec: { ...old.spec, ports: [port] } }));
    await only(tcp);
    await ns.servedBy('client', target, ['pod1']);
    await ns.servedByUdp('client', target, ['none']);
    await only(udp);
    await ns.servedByUdp('client', target, ['pod1']);
    await ns.unreachable('client', target);
  });

  test('should be updated after adding or deleting ports', async () => {
    const ns = await TestNamespace.create(lab, 'edit-ports');
    const service = await ns.service('edit-port-test', { ports: [{ port: 80, targetPort: 80 }] });
    const ip = clusterIp(service);
    await ns.client();
    const port = (name: string, number: number) => ({ name, port: number, targetPort: number });
    const container = { ports: [{ containerPort: 80 }] };
    await ns.netexec('pod1', 'edit-port-test', { container });
    await ns.servedBy('client', `${ip}:80`, ['pod1']);
    await ns.updateService('edit-port-test', (old) => ({
      ...old,
      spec: { ...old.spec, ports: [port('portname1', 80), { ...port('portname2', 81), targetPort: 80 }] },
    }));
    await ns.servedBy('client', `${ip}:81`, ['pod1']);
    await ns.servedBy('client', `${ip}:80`, ['pod1']);
    await ns.updateService('edit-port-test', (old) => ({
      ...old,
      spec: { ...old.spec, ports: [{ ...port('portname2', 81), targetPort: 80 }] },
    }));
    await ns.refused('client', `${ip}:80`);
    await ns.servedBy('client', `${ip}:81`, ['pod1']);
  });

  test('should preserve source pod IP for traffic thru service cluster IP [LinuxOnly]', async () => {
    const ns = await TestNamespace.create(lab, 'source-ip');
    const service = await ns.service('sourceip-test', { ports: [{ port: 8080 }] });
    const [, ...clients] = await Promise.all([
      ns.netexec('echo-sourceip', 'sourceip-test', { node: 'node1', http: 8080 }),
      ns.client('pause-same', { node: 'node1' }),
      ns.client('pause-other', { node: 'node2' }),
    ]);
    await ns.endpoints('sourceip-test', { 'echo-sourceip': [8080] });
    for (const { metadata, status } of clients)
      await retry(async () => {
        const [seen = ''] = await ns.ask(metadata?.name ?? '', `${clusterIp(service)}:8080`, {
          path: 'clientip',
        });
        assert.equal(seen.split(':')[0], status?.podIP);
      });
  });

  test('should allow pods to hairpin back to themselves through services', async () => {
    const ns = await TestNamespace.create(lab, 'hairpin');
    const service = await ns.service('hairpin-test', { ports: [{ port: 8080 }] });
    await ns.netexec('hairpin', 'hairpin-test', { http: 8080 });
    await ns.endpoints('hairpin-test', { hairpin: [8080] });
    await ns.servedBy('hairpin', `${clusterIp(service)}:8080`, ['hairpin'], 20);
    await ns.servedBy('hairpin', 'hairpin-test:8080', ['hairpin']);
  });

  test('should be able to up and down services', async () => {
    const ns = await TestNamespace.create(lab, 'up-down');
    const start = async (name: string) => {
      const service = await ns.service(name, { ports: [{ port: 80, targetPort: 9376 }] });
      const pods = ['a', 'b'].map((suffix) => `${name}-${suffix}`);
      await Promise.all(pods.map((pod) => serveHostname(ns, pod, name)));
      return { pods, target: `${clusterIp(service)}:80` };
    };
    const [, one, two] = await Promise.all([ns.client(), start('up-down-1'), start('up-down-2')]);
    const isUp = async ({ target, pods }: { target: string; pods: readonly string[] }) => {
      await ns.servedBy('node1', target, pods);
      await ns.servedBy('client', target, pods);
    };
    await isUp(one);
    await isUp(two);
    await ns.deleteService('up-down-1');
    await ns.unreachable('client', one.target);
    await ns.unreachable('node1', one.target);
    await isUp(two);
    const three = await start('up-down-3');
    assert.notEqual(three.target, two.target);
    await isUp(two);
    await isUp(three);
  });

  test('should work after the service has been recreated', async () => {
    const ns = await TestNamespace.create(lab, 'recreated');
    const create = () => ns.service('service-deletion', { ports: [{ port: 80, targetPort: 9376 }] });
    const [first] = await Promise.all([create(), ns.client(), serveHostname(ns, 'pod1', 'service-deletion')]);
    await ns.servedBy('client', `${clusterIp(first)}:80`, ['pod1']);
    await ns.deleteService('service-deletion');
    await ns.unreachable('client', `${clusterIp(first)}:80`);
    const second = await create();
    await ns.servedBy('client', `${clusterIp(second)}:80`, ['pod1']);
    await ns.servedBy('client', 'service-deletion:80', ['pod1']);
  });

  for (const [label, value] of [
    ['service.kubernetes.io/service-proxy-name', 'foo-bar'],
    ['service.kubernetes.io/headless', ''],
  ] as const)
    test(`should implement ${label}`, async () => {
      const ns = await TestNamespace.create(lab, 'left-alone');
      const labels = { [label]: value };
      const ports = [{ port: 80, targetPort: 9376 }];
      const disabled = await ns.service('disabled', { selector: { app: 'toggled' }, ports }, { labels });
      const toggled = await ns.service('toggled', { ports });
      await Promise.all([
        ns.client(),
        serveHostname(ns, 'pod1', 'toggled'),
        serveHostname(ns, 'pod2', 'toggled'),
      ]);
      const [off, on] = [`${clusterIp(disabled)}:80`, `${clusterIp(toggled)}:80`];
      await ns.servedBy('client', on, ['pod1', 'pod2']);
      await ns.unreachable('client', off);
      await ns.unreachable('node1', off);
      const relabel = (to: Readonly<Record<string, string>>) =>
        ns.updateService('toggled', (old) => ({ ...old, metadata: { ...old.metadata, labels: to } }));
      await relabel(labels);
      await ns.unreachable('client', on);
      await ns.unreachable('node1', on);
      await relabel({});
      await ns.servedBy('client', on, ['pod1', 'pod2']);
      await ns.unreachable('client', off);
    });

  test('should be rejected when no endpoints exist', async () => {
    const ns = await TestNamespace.create(lab, 'no-pods');
    const service = await ns.service('no-pods', { type: 'NodePort', ports: [{ port: 80 }] });
    await ns.client();
    await ns.refused('client', 'no-pods:80');
    await ns.refused('node1', `${clusterIp(service)}:80`);
    const port = service.spec?.ports?.[0]?.nodePort;
    for (const place of ['client', 'node1', 'outside']) await ns.refused(place, `172.30.0.12:${port}`);
  });

  test('should be rejected for evicted pods (no endpoints exist)', async () => {
    const ns = await TestNamespace.create(lab, 'evicted');
    await ns.service('evicted-pods', { publishNotReadyAddresses: true, ports: [{ port: 80 }] });
    await ns.client();
    // What an evicted Pod is to a Service: one that has failed for good.
    await ns.netexec('evicted-pod', 'evicted-pods', { spec: { restartPolicy: 'Never' } });
    await ns.endpoints('evicted-pods', { 'evicted-pod': [80] });
    await ns.servedBy('client', 'evicted-pods:80', ['evicted-pod']);
    await ns.ask('client', 'evicted-pods:80', { path: 'exit?code=1' });
    await retry(async () => assert.equal((await ns.getPod('evicted-pod')).status?.phase, 'Failed'));
    await ns.endpoints('evicted-pods', {});
    await ns.refused('client', 'evicted-pods:80');
  });

  test('should create endpoints for unready pods', async () => {
    const ns = await TestNamespace.create(lab, 'unready');
    const service = await ns.service('tolerate-unready', {
      publishNotReadyAddresses: true,
      ports: [{ name: 'http', port: 80 }],
    });
    const target = `${clusterIp(service)}:80`;
    await ns.client();
    await ns.createPod('slow-terminating-unready-pod', {
      labels: { app: 'tolerate-unready' },
      container: {
        args: ['netexec', '--http-port=80'],
        readinessProbe: { exec: { command: ['/bin/false'] } },
        lifecycle: { preStop: { exec: { command: ['/bin/sleep', '600'] } } },
      },
      spec: { terminationGracePeriodSeconds: 600 },
    });
    const tolerate = (publishNotReadyAddresses: boolean): Promise<Service> =>
      ns.updateService('tolerate-unready', (old) => ({
        ...old,
        spec: { ...old.spec, publishNotReadyAddresses },
      }));
    await ns.servedBy('client', target, ['slow-terminating-unready-pod']);
    await ns.deletePod('slow-terminating-unready-pod');
    await tolerate(false);
    await ns.unreachable('client', target);
    await tolerate(true);
    await ns.servedBy('client', target, ['slow-terminating-unready-pod']);
    await ns.deletePod('slow-terminating-unready-pod', 0);
    await ns.refused('client', target);
  });

  test('should connect to the ports exposed by restartable init containers', async () => {
    const ns = await TestNamespace.create(lab, 'sidecars');
    const service = await ns.service('sidecar-with-port', {
      ports: [{ name: 'http', port: 80, targetPort: 'sidecar-port' }],
    });
    const image = 'registry.k8s.io/e2e-test-images/agnhost:2.47';
    await Promise.all([
      ns.client(),
      ns.pod('pod1', {
        labels: { app: 'sidecar-with-port' },
        spec: {
          initContainers: [
            {
              name: 'init',
              image,
              args: ['netexec', '--http-port=8080'],
              ports: [{ name: 'sidecar-port', containerPort: 8080 }],
              restartPolicy: 'Always',
            },
          ],
        },
      }),
    ]);
    await ns.endpoints('sidecar-with-port', { pod1: [8080] });
    await ns.servedBy('client', `${clusterIp(service)}:80`, ['pod1']);
  });

  test('should be possible to connect to a service via ExternalIP when the external IP is not assigned to a node', async () => {
    const ns = await TestNamespace.create(lab, 'external-ip');
    const ip = '203.0.113.250';
    await ns.service('external-ip-test', { externalIPs: [ip], ports: [{ port: 80, targetPort: 9376 }] });
    await Promise.all([ns.client(), serveHostname(ns, 'pod1', 'external-ip-test')]);
    await ns.servedBy('client', `${ip}:80`, ['pod1']);
    await ns.servedBy('client', 'external-ip-test:80', ['pod1']);
  });
});

function serveHostname(ns: TestNamespace, name: string, app: string) {
  return ns.pod(name, {
    labels: { app },
    container: {
      args: ['serve-hostname', '--port=9376'],
      readinessProbe: { tcpSocket: { port: 9376 }, periodSeconds: 1 },
    },
  });
}
