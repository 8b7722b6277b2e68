import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PodSpec, Service, ServicePort } from '#kube-api';
import type { Background } from './support/background.ts';
import { TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { clusterIp, nodePort, TestNamespace } from './support/test-namespace.ts';

const UDP: ServicePort = { name: 'udp', port: 80, targetPort: 80, protocol: 'UDP' };

/** Asks HOST PORT once and again from port 12345, each time on a socket of its own, and prints who answered within five seconds. */
const CLIENT = `
  const [host, port] = process.argv.slice(1);
  const ask = () => new Promise((resolve) => {
    const socket = require('node:dgram').createSocket('udp4');
    const done = (answer) => { clearTimeout(timer); socket.removeAllListeners().on('error', () => {}).close(() => resolve(answer)); };
    const timer = setTimeout(done, 5000, '');
    socket.once('error', () => done('')).once('message', done);
    socket.bind(12345, () => socket.connect(Number(port), host, () => socket.send('hostname')));
  });
  (async () => {
    for (;;) {
      console.log('answer: ' + await ask());
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
`;

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Conntrack', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });

  /**
   * A Pod on node1 that asks once and again from one source port: for the kernel one flow, which never gets old enough to be
   * forgotten. It prints who answered.
   */
  const startClient = (ns: TestNamespace, host: string, port: number, spec: Partial<PodSpec> = {}) =>
    ns.client('pod-client', {
      node: 'node1',
      container: {
        command: [process.execPath, '-e', CLIENT, host, String(port)],
      },
      spec,
    });

  const server = (ns: TestNamespace, name: string, spec: Partial<PodSpec> = {}) =>
    ns.netexec(name, 'svc-udp', { node: 'node2', udp: 80, spec });

  /** What the client has printed, as complete lines. */
  const lines = (log: Background) => log.said.split('\n').slice(0, -1);

  const followClient = (ns: TestNamespace) => lab.startKubectl('logs', '-f', '-n', ns.name, 'pod-client');

  /** Waits until the client prints this Pod's name, from now on. */
  async function hears(log: Background, pod: string): Promise<void> {
    const { length } = lines(log);
    await retry(() => {
      const since = lines(log).slice(length);
      assert.ok(since.includes(`answer: ${pod}`), `no answer of ${pod} in: ${since.join(' | ')}`);
    });
  }

  async function cycle(ns: TestNamespace): Promise<void> {
    await using log = followClient(ns);
    await server(ns, 'pod-server-1');
    await ns.endpoints('svc-udp', { 'pod-server-1': [80] });
    await hears(log, 'pod-server-1');
    await server(ns, 'pod-server-2');
    await ns.deletePod('pod-server-1');
    await ns.endpoints('svc-udp', { 'pod-server-2': [80] });
    await hears(log, 'pod-server-2');
    await ns.gone('pod-server-1');
    const { length } = lines(log);
    await retry(() => assert.ok(lines(log).length > length + 5));
    assert.deepEqual([...new Set(lines(log).slice(length))], ['answer: pod-server-2']);
    await ns.deletePod('pod-client');
  }

  const udpService = (ns: TestNamespace, type: 'ClusterIP' | 'NodePort'): Promise<Service> =>
    ns.service('svc-udp', { type, ports: [UDP] });

  test('should be able to preserve UDP traffic when server pod cycles for a NodePort service', async () => {
    const ns = await TestNamespace.create(lab, 'udp-nodeport');
    const service = await udpService(ns, 'NodePort');
    await startClient(ns, lab.up.nodes[1]?.ip ?? '', nodePort(service));
    await cycle(ns);
  });

  test('should be able to preserve UDP traffic when server pod cycles for a ClusterIP service', async () => {
    const ns = await TestNamespace.create(lab, 'udp-clusterip');
    await startClient(ns, clusterIp(await udpService(ns, 'ClusterIP')), 80);
    await cycle(ns);
  });

  test('should be able to preserve UDP traffic when server pod cycles for a ClusterIP service and client is hostNetwork', async () => {
    const ns = await TestNamespace.create(lab, 'udp-host');
    await startClient(ns, clusterIp(await udpService(ns, 'ClusterIP')), 80, { hostNetwork: true });
    await cycle(ns);
  });

  test('should be able to preserve UDP traffic when initial unready endpoints get ready', async () => {
    const ns = await TestNamespace.create(lab, 'udp-unready');
    await startClient(ns, clusterIp(await udpService(ns, 'ClusterIP')), 80);
    await using log = followClient(ns);
    const command = ['/bin/sh', '-c', 'echo Pausing start. && sleep 1'];
    await server(ns, 'pod-server-1', {
      initContainers: [{ name: 'init', image: 'registry.k8s.io/e2e-test-images/busybox:1.36', command }],
    });
    await ns.endpoints('svc-udp', { 'pod-server-1': [80] });
    await hears(log, 'pod-server-1');
  });
});
