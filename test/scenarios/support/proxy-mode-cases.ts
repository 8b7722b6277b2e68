import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { SERVICES } from '#kube-api';
import type { ProxyMechanism } from '#service-proxy';
import { examplePath, TestLab } from './lab.ts';
import { retry } from './retry.ts';
import { clusterIp, nodePort, TestNamespace } from './test-namespace.ts';

/** A handful of Services in a lab that carries them by `mechanism`; the behaviour suite of the package has all of them. */
export function proxyModeCases(mechanism: ProxyMechanism): void {
  /** A relay's connections are the node's. */
  const keepsSources = mechanism !== 'userspace';
  const lab = TestLab.ofSuite({ nodes: 2, flags: ['--proxy', mechanism] });
  const ns = TestNamespace.ofSuite(lab, 'modes');
  before(() => ns.client('client', { node: 'node1' }));

  test('the agent says which mechanism it runs', async () => {
    const mode = await lab.exec('node2', 'curl', '-sS', '-f', 'http://127.0.0.1:10249/proxyMode');
    assert.equal(mode, mechanism);
  });

  test('the published example: five replicas behind a node port, from a Pod, a node and outside', async () => {
    await lab.kubectl('apply', '-f', examplePath('hello-world-5.yaml'));
    await lab.kubectl('rollout', 'status', 'deployment/hello-world', '--timeout=60s');
    await lab.kubectl('expose', 'deployment', 'hello-world', '--type=NodePort', '--name=example-service');
    const service = await lab.client.get(SERVICES, { namespace: 'default', name: 'example-service' });
    const ways: readonly (readonly [place: string, target: string])[] = [
      ['client', `${clusterIp(service)}:8080`],
      ['node2', `${clusterIp(service)}:8080`],
      ...lab.up.nodes.map(({ ip }) => ['outside', `${ip}:${nodePort(service)}`] as const),
    ];
    for (const [place, target] of ways)
      await retry(async () => {
        // One process for all of them, which the server makes open a connection each.
        const requests = [
          '-sS',
          '--connect-timeout',
          '5',
          '-H',
          'Connection: close',
          `http://${target}/?[1-40]`,
        ];
        const answers = await ns.output(place, 'curl', ...requests);
        const lines = answers.split('\n').filter((line) => line.startsWith('Hostname'));
        assert.equal(lines.length, 40, `${place} -> ${target}`);
        assert.equal(new Set(lines).size, 5, `${place} -> ${target}`);
      });
  });

  test('endpoints come and go; without one the connection is refused; by UDP too', async () => {
    const service = await ns.service('web', {
      ports: [
        { name: 'http', port: 80, protocol: 'TCP' },
        { name: 'udp', port: 81, protocol: 'UDP', targetPort: 8081 },
      ],
    });
    const [tcp, udp] = [`${clusterIp(service)}:80`, `${clusterIp(service)}:81`];
    await ns.refused('client', tcp);
    await ns.netexec('web-1', 'web', { node: 'node1' });
    await ns.servedBy('client', tcp, ['web-1']);
    await ns.netexec('web-2', 'web', { node: 'node2' });
    await ns.servedBy('client', tcp, ['web-1', 'web-2']);
    await ns.servedByUdp('client', udp, ['web-1', 'web-2']);
    await ns.deletePod('web-1');
    await ns.servedBy('client', tcp, ['web-2']);
    await ns.servedByUdp('client', udp, ['web-2']);
    await ns.servedBy('web-2', tcp, ['web-2']);
    await ns.deletePod('web-2');
    await ns.refused('client', tcp);
  });

  test(`a Pod ${keepsSources ? 'keeps' : 'loses'} its address through a cluster IP; a client stays with its endpoint when asked to`, async () => {
    const pods = ['sticky-1', 'sticky-2', 'sticky-3'];
    await Promise.all(
      pods.map((pod, i) => ns.netexec(pod, 'sticky', { node: `node${(i % 2) + 1}`, http: 8080 })),
    );
    const free = await ns.service('free', { selector: { app: 'sticky' }, ports: [{ port: 8080 }] });
    const sticky = await ns.service('sticky', { sessionAffinity: 'ClientIP', ports: [{ port: 8080 }] });
    const own = (await ns.getPod('client')).status?.podIP;
    await ns.servedBy('client', `${clusterIp(free)}:8080`, pods);
    const seen = await ns.ask('client', `${clusterIp(free)}:8080`, { count: 10, path: 'clientip' });
    const sources = [...new Set(seen.map((text) => text.split(':')[0]))];
    if (keepsSources) assert.deepEqual(sources, [own]);
    else assert.ok(!sources.includes(own), `${sources}`);
    await retry(async () => {
      const answers = await ns.ask('client', `${clusterIp(sticky)}:8080`, { count: 16 });
      assert.equal(new Set(answers).size, 1, answers.join());
    });
  });

  test(`externalTrafficPolicy Local: outside clients ${keepsSources ? 'keep' : 'lose'} their address, and hear nothing from a node without an endpoint`, async () => {
    await ns.netexec('local', 'local', { node: 'node2', http: 8080 });
    const service = await ns.service('local', {
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      ports: [{ port: 8080 }],
    });
    const [first, second] = lab.up.nodes.map(({ ip }) => `${ip}:${nodePort(service)}`);
    await retry(async () => {
      const [seen = ''] = await ns.ask('outside', second ?? '', { path: 'clientip' });
      assert.equal(seen.split(':')[0] === '198.51.100.10', keepsSources, seen);
    });
    await ns.unreachable('outside', first ?? '');
  });
}
