import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import type { Service, ServicePort, ServiceSpec } from '#kube-api';
import { TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import {
  CURL_REFUSED,
  CURL_TIMED_OUT,
  clusterIp,
  nodePort,
  SHORT_PATIENCE,
  TestNamespace,
} from './support/test-namespace.ts';

const HTTP: ServicePort = { name: 'http', port: 80, targetPort: 80, protocol: 'TCP' };
/** How long a server goes on after it was told to end; cases end it themselves. Seconds. */
const GRACE = 120;

/** Some at a time, as they wait for what is never answered; in the virtual machine waiting takes no time (test/vm/README.md). */
const AT_A_TIME = process.env['PODWAY_TEST_VM'] === undefined ? 4 : 1;

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services: traffic policies and terminating endpoints', {
  concurrency: AT_A_TIME,
}, () => {
  const lab = TestLab.ofSuite({ nodes: 2 });
  const clients = TestNamespace.ofSuite(lab, 'clients');
  const [pausePod0, pausePod1] = [`${clients.name}/pause-pod-0`, `${clients.name}/pause-pod-1`];
  const [hostPod0, hostPod1] = [`${clients.name}/host-pod-0`, `${clients.name}/host-pod-1`];

  before(async () => {
    const host = { spec: { hostNetwork: true } };
    await Promise.all([
      clients.client('pause-pod-0', { node: 'node1' }),
      clients.client('pause-pod-1', { node: 'node2' }),
      clients.client('host-pod-0', { node: 'node1', ...host }),
      clients.client('host-pod-1', { node: 'node2', ...host }),
    ]);
  });

  /** The case's five attempts, at once: a silent one takes seconds. */
  async function fiveTimes(
    ns: TestNamespace,
    place: string,
    target: string,
    expected: readonly string[],
    patience?: number,
  ) {
    const ask = () => ns.ask(place, target, { patience });
    const answers = (await Promise.all([1, 2, 3, 4, 5].map(ask))).flat();
    for (const answer of answers) assert.ok(expected.includes(answer), `${target} from ${place}: ${answer}`);
  }

  const serves = async (ns: TestNamespace, place: string, target: string, pod: string) => {
    await ns.servedBy(place, target, [pod]);
    await fiveTimes(ns, place, target, [pod]);
  };

  const doesNotServe = (ns: TestNamespace, place: string, target: string) =>
    retry(() =>
      fiveTimes(ns, place, target, [`curl: ${CURL_TIMED_OUT}`, `curl: ${CURL_REFUSED}`], SHORT_PATIENCE),
    );

  test('should respect internalTrafficPolicy=Local Pod to Pod', async () => {
    const ns = await TestNamespace.create(lab, 'itp');
    const service = await ns.service('svc-itp', { internalTrafficPolicy: 'Local', ports: [HTTP] });
    await ns.netexec('echo-hostname-0', 'svc-itp', { node: 'node1' });
    await serves(ns, pausePod0, `${clusterIp(service)}:80`, 'echo-hostname-0');
    await doesNotServe(ns, pausePod1, `${clusterIp(service)}:80`);
  });

  test('should respect internalTrafficPolicy=Local Pod (hostNetwork: true) to Pod', async () => {
    const ns = await TestNamespace.create(lab, 'itp');
    const ports = [{ ...HTTP, port: 8000, targetPort: 8000 }];
    const service = await ns.service('svc-itp', { internalTrafficPolicy: 'Local', ports });
    await ns.netexec('echo-hostname-0', 'svc-itp', { node: 'node1', http: 8000 });
    await serves(ns, hostPod0, `${clusterIp(service)}:8000`, 'echo-hostname-0');
    await doesNotServe(ns, hostPod1, `${clusterIp(service)}:8000`);
  });

  test('should respect internalTrafficPolicy=Local Pod and Node, to Pod (hostNetwork: true)', async () => {
    const ns = await TestNamespace.create(lab, 'itp');
    const ports = [{ ...HTTP, targetPort: 10_180 }];
    const service = await ns.service('svc-itp', { internalTrafficPolicy: 'Local', ports });
    const server = { node: 'node1', http: 10_180, udp: 10_181, spec: { hostNetwork: true } };
    await ns.netexec('echo-hostname-0', 'svc-itp', server);
    // A Pod of the node's network has the node's name.
    const target = `${clusterIp(service)}:80`;
    const near = [pausePod0, hostPod0, 'node1'].map((place) => serves(ns, place, target, 'node1'));
    const far = [pausePod1, hostPod1, 'node2'].map((place) => doesNotServe(ns, place, target));
    await Promise.all([...near, ...far]);
    await ns.deletePod('echo-hostname-0', 0);
  });

  /** A Service whose only Pod, on node1, has been told to end and goes on serving. */
  async function terminating(ns: TestNamespace, spec: ServiceSpec): Promise<Service> {
    const service = await ns.service('svc-proxy-terminating', { ports: [HTTP], ...spec });
    await ns.netexec('echo-hostname-0', 'svc-proxy-terminating', {
      node: 'node1',
      flags: [`--delay-shutdown=${GRACE}`],
      spec: { terminationGracePeriodSeconds: GRACE },
    });
    await ns.endpoints('svc-proxy-terminating', { 'echo-hostname-0': [80] });
    await ns.servedBy(pausePod0, `${clusterIp(service)}:80`, ['echo-hostname-0']);
    await ns.deletePod('echo-hostname-0');
    await ns.endpoints('svc-proxy-terminating', {});
    return service;
  }

  test('should fallback to terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Cluster', async () => {
    const ns = await TestNamespace.create(lab, 'fallback');
    const service = await terminating(ns, { internalTrafficPolicy: 'Cluster' });
    for (const client of [pausePod0, pausePod1])
      await serves(ns, client, `${clusterIp(service)}:80`, 'echo-hostname-0');
    await ns.deletePod('echo-hostname-0', 0);
  });

  test('should fallback to local terminating endpoints when there are no ready endpoints with internalTrafficPolicy=Local', async () => {
    const ns = await TestNamespace.create(lab, 'fallback');
    const service = await terminating(ns, { internalTrafficPolicy: 'Local' });
    await serves(ns, pausePod0, `${clusterIp(service)}:80`, 'echo-hostname-0');
    await doesNotServe(ns, pausePod1, `${clusterIp(service)}:80`);
    await ns.deletePod('echo-hostname-0', 0);
  });

  const nodePortsOf = (service: Service) => lab.up.nodes.map(({ ip }) => `${ip}:${nodePort(service)}`);

  test('should fallback to terminating endpoints when there are no ready endpoints with externallTrafficPolicy=Cluster', async () => {
    const ns = await TestNamespace.create(lab, 'fallback');
    const service = await terminating(ns, { type: 'NodePort', externalTrafficPolicy: 'Cluster' });
    for (const target of nodePortsOf(service))
      for (const place of [pausePod1, 'outside']) await serves(ns, place, target, 'echo-hostname-0');
    await ns.deletePod('echo-hostname-0', 0);
  });

  test('should fallback to local terminating endpoints when there are no ready endpoints with externalTrafficPolicy=Local', async () => {
    const ns = await TestNamespace.create(lab, 'fallback');
    const service = await terminating(ns, { type: 'NodePort', externalTrafficPolicy: 'Local' });
    const [own = '', other = ''] = nodePortsOf(service);
    await serves(ns, 'outside', own, 'echo-hostname-0');
    await doesNotServe(ns, 'outside', other);
    await ns.deletePod('echo-hostname-0', 0);
  });

  test('should fail health check node port if there are only terminating endpoints', async () => {
    const ns = await TestNamespace.create(lab, 'health');
    const service = await ns.service('svc-proxy-terminating', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      ports: [HTTP],
    });
    const check = (node: number) =>
      `http://${lab.up.nodes[node]?.ip}:${service.spec?.healthCheckNodePort}/healthz`;
    const answers = async (node: number, status: string, body: Readonly<Record<string, unknown>>) =>
      await retry(async () => {
        const script = `curl -s -m 5 -w '\\n%{http_code}' ${check(node)}`;
        const [text = '', code] = (await ns.output('outside', 'sh', '-c', script)).split(/\n(?=\d+$)/);
        assert.equal(code, status);
        assert.partialDeepStrictEqual(JSON.parse(text), body);
      });
    await ns.netexec('echo-hostname-0', 'svc-proxy-terminating', {
      node: 'node1',
      flags: [`--delay-shutdown=${GRACE}`],
      spec: { terminationGracePeriodSeconds: GRACE },
    });
    const of = { namespace: ns.name, name: 'svc-proxy-terminating' };
    await answers(0, '200', { service: of, localEndpoints: 1 });
    await answers(1, '503', { service: of, localEndpoints: 0 });
    await ns.deletePod('echo-hostname-0');
    await answers(0, '503', { service: of, localEndpoints: 0 });
    await ns.deletePod('echo-hostname-0', 0);
  });

  for (const publish of [true, false])
    test(`should ${publish ? '' : 'not '}be able to connect to terminating and unready endpoints if PublishNotReadyAddresses is ${publish}`, async () => {
      const ns = await TestNamespace.create(lab, 'unready');
      const service = await ns.service('svc-tolerate-unready', {
        type: 'NodePort',
        publishNotReadyAddresses: publish,
        ports: [HTTP],
      });
      await ns.netexec('webserver-pod', 'svc-tolerate-unready', {
        node: 'node1',
        flags: [`--delay-shutdown=${GRACE}`],
        container: {
          readinessProbe: { httpGet: { path: '/readyz', port: 80 }, periodSeconds: 1, failureThreshold: 1 },
        },
        spec: { terminationGracePeriodSeconds: GRACE },
      });
      const targets = [`${clusterIp(service)}:80`, ...nodePortsOf(service)];
      for (const target of targets) await ns.servedBy(pausePod1, target, ['webserver-pod']);
      await ns.deletePod('webserver-pod');
      await ns.unready('webserver-pod');
      await Promise.all(
        targets.map((target) =>
          publish ? serves(ns, pausePod1, target, 'webserver-pod') : doesNotServe(ns, pausePod1, target),
        ),
      );
      await ns.deletePod('webserver-pod', 0);
    });
});
