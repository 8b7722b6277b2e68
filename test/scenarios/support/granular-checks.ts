import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { hostInUrl } from '#ip';
import type { Service } from '#kube-api';
import type { TestLab } from './lab.ts';
import { retry } from './retry.ts';
import { clusterIp, nodePort, type TestNamespace } from './test-namespace.ts';

const NETSERVERS = ['netserver-0', 'netserver-1', 'netserver-2'];
const HTTP_PORT = 8083;
const UDP_PORT = 8081;
const SERVICE_HTTP = 80;
const SERVICE_UDP = 90;
/** What a Service has to ask for to be of that family too. */
const DUAL = [{}, { ipFamilyPolicy: 'RequireDualStack' }] as const;

/** The suite's `Granular Checks`, in the first of the lab's families or in its second, by index. */
export function granularChecks(lab: TestLab, ns: TestNamespace, family: 0 | 1): void {
  const services = family === 0 ? 'Services' : 'Services Secondary IP Family'; // as the suite has it
  let service: Service;
  let podIps: readonly string[];

  before(async () => {
    const [pods] = await Promise.all([
      Promise.all(NETSERVERS.map((name, i) => netserver(name, `node${i + 1}`))),
      ns.client('test-container-pod', { node: 'node1' }),
      ns.client('host-test-container-pod', { node: 'node2', spec: { hostNetwork: true } }),
    ]);
    podIps = pods.map(({ status }) => status?.podIPs?.[family]?.ip ?? '');
    service = await createService('node-port-service', 'NodePort');
  });

  const netserver = (name: string, node: string) =>
    ns.netexec(name, 'netserver', { node, http: HTTP_PORT, udp: UDP_PORT });

  const createService = (name: string, type: 'ClusterIP' | 'NodePort', affinity = false) =>
    ns.service(name, {
      type,
      ...DUAL[family],
      selector: { app: 'netserver' },
      ...(affinity && { sessionAffinity: 'ClientIP' as const }),
      ports: [
        { name: 'http', port: SERVICE_HTTP, targetPort: HTTP_PORT, protocol: 'TCP' },
        { name: 'udp', port: SERVICE_UDP, targetPort: UDP_PORT, protocol: 'UDP' },
      ],
    });
  const at = (of: Service, port: number) => `${hostInUrl(clusterIp(of, family))}:${port}`;
  const atNode = (i: number, port: number) => `${hostInUrl(lab.up.nodes[i]?.ips[family] ?? '')}:${port}`;

  const PROTOCOLS = {
    http: {
      podPort: HTTP_PORT,
      servicePort: SERVICE_HTTP,
      index: 0,
      servedBy: (place: string, target: string, pods: readonly string[]) => ns.servedBy(place, target, pods),
      ask: (place: string, target: string, count: number) => ns.ask(place, target, { count }),
    },
    udp: {
      podPort: UDP_PORT,
      servicePort: SERVICE_UDP,
      index: 1,
      servedBy: (place: string, target: string, pods: readonly string[]) =>
        ns.servedByUdp(place, target, pods),
      ask: (place: string, target: string, count: number) => ns.askUdp(place, target, count),
    },
  } as const;

  for (const [name, { podPort, servicePort, index, servedBy, ask }] of Object.entries(PROTOCOLS)) {
    test(`Pods should function for intra-pod communication: ${name} [NodeConformance] [Conformance]`, async () => {
      for (const [i, ip] of podIps.entries())
        await servedBy('test-container-pod', `${hostInUrl(ip)}:${podPort}`, [NETSERVERS[i] ?? '']);
    });

    test(`Pods should function for node-pod communication: ${name} [LinuxOnly] [NodeConformance] [Conformance]`, async () => {
      for (const [i, ip] of podIps.entries())
        await servedBy('host-test-container-pod', `${hostInUrl(ip)}:${podPort}`, [NETSERVERS[i] ?? '']);
    });

    for (const [words, place] of [
      ['pod-Service', 'test-container-pod'],
      ['node-Service', 'host-test-container-pod'],
      ['endpoint-Service', 'netserver-0'],
    ] as const)
      test(`${services} should function for ${words}: ${name}`, async () => {
        await servedBy(place, at(service, servicePort), NETSERVERS);
        for (const i of [0, 1]) await servedBy(place, atNode(i, nodePort(service, index)), NETSERVERS);
      });

    test(`${services} should function for client IP based session affinity: ${name} [LinuxOnly]`, async () => {
      const affine = await createService(`session-affinity-${name}`, 'NodePort', true);
      await servedByOne(at(affine, servicePort), ask);
      await servedByOne(atNode(0, nodePort(affine, index)), ask);
    });
  }

  async function servedByOne(
    target: string,
    ask: (place: string, target: string, count: number) => Promise<readonly string[]>,
  ): Promise<void> {
    await retry(async () => {
      const seen = new Set(await ask('test-container-pod', target, 12));
      assert.equal(seen.size, 1, [...seen].join(' '));
      assert.ok(NETSERVERS.includes([...seen][0] ?? ''), [...seen].join(' '));
    });
  }

  test(`${services} should function for multiple endpoint-Services with same selector`, async () => {
    const second = await createService('second-node-port-service', 'NodePort');
    for (const one of [service, second]) {
      await ns.servedBy('test-container-pod', at(one, SERVICE_HTTP), NETSERVERS);
      await ns.servedByUdp('test-container-pod', at(one, SERVICE_UDP), NETSERVERS);
    }
    await ns.deleteService('second-node-port-service');
    await ns.unreachable('test-container-pod', at(second, SERVICE_HTTP));
    await ns.servedBy('test-container-pod', at(service, SERVICE_HTTP), NETSERVERS);
  });

  test(`${services} should function for service endpoints using hostNetwork`, async () => {
    const names = ['host-netserver-0', 'host-netserver-1'];
    const [first] = await Promise.all(
      names.map((name, i) =>
        ns.netexec(name, 'host-netserver', {
          node: `node${i + 1}`,
          http: 10_083,
          udp: 10_081,
          spec: { hostNetwork: true },
        }),
      ),
    );
    assert.equal(first?.status?.podIPs?.[family]?.ip, lab.up.nodes[0]?.ips[family]);
    const host = await ns.service('host-netserver', {
      type: 'NodePort',
      ...DUAL[family],
      ports: [{ port: 80, targetPort: 10_083 }],
    });
    // Pods of the node's network are called as the node.
    const nodes = ['node1', 'node2'];
    for (const place of ['test-container-pod', 'host-test-container-pod', 'outside'])
      await ns.servedBy(place, atNode(0, nodePort(host)), nodes);
    for (const place of ['test-container-pod', 'host-test-container-pod', 'node1'])
      await ns.servedBy(place, at(host, 80), nodes);
  });

  for (const [name, protocol] of [
    ['http', PROTOCOLS.http],
    ['udp', PROTOCOLS.udp],
  ] as const)
    test(`${services} should update endpoints: ${name}`, async () => {
      const target = at(service, protocol.servicePort);
      await protocol.servedBy('test-container-pod', target, NETSERVERS);
      await ns.deletePod('netserver-2', 0);
      await ns.gone('netserver-2');
      await protocol.servedBy('test-container-pod', target, NETSERVERS.slice(0, 2));
      await netserver('netserver-2', 'node3');
      await protocol.servedBy('test-container-pod', target, NETSERVERS);
    });

  for (const [name, { index, servedBy }] of Object.entries(PROTOCOLS))
    test(`${services} should update nodePort: ${name} [Slow]`, async () => {
      const own = await createService(`update-node-port-${name}`, 'NodePort');
      const target = atNode(0, nodePort(own, index));
      await servedBy('test-container-pod', target, NETSERVERS);
      await ns.updateService(`update-node-port-${name}`, (old) => ({
        ...old,
        spec: { ...old.spec, type: 'ClusterIP' },
      }));
      if (name === 'udp') await servedBy('test-container-pod', target, ['none']);
      else await ns.unreachable('test-container-pod', target);
    });

  test(`${services} should be able to handle large requests: http`, async () => {
    const text = 'x'.repeat(2000);
    await retry(async () =>
      assert.deepEqual(
        await ns.ask('test-container-pod', at(service, SERVICE_HTTP), {
          path: `echo?msg=${text}`,
        }),
        [text],
      ),
    );
  });

  test(`${services} should be able to handle large requests: udp`, async () => {
    // More than a link carries in one packet: the datagram comes in fragments.
    const text = 'x'.repeat(2000);
    await retry(async () =>
      assert.deepEqual(await ns.askUdp('test-container-pod', at(service, SERVICE_UDP), 1, `echo ${text}`), [
        text,
      ]),
    );
  });
}
