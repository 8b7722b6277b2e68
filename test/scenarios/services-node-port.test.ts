import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Service, ServicePort, ServiceSpec } from '#kube-api';
import { TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { clusterIp, nodePort, TestNamespace } from './support/test-namespace.ts';

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services: types and node ports', () => {
  const lab = TestLab.ofSuite();
  const nodeIps = () => lab.up.nodes.map(({ ip }) => ip);

  const http: ServicePort = { name: 'http', port: 80, targetPort: 80, protocol: 'TCP' };
  const servers = (ns: TestNamespace, app: string) =>
    Promise.all([
      ns.client(),
      ns.netexec(`${app}-1`, app, { node: 'node1', udp: 80 }),
      ns.netexec(`${app}-2`, app, { node: 'node2', udp: 80 }),
    ]);

  /** By name and by cluster IP, and where it has node ports at every node's address, from a Pod, a node and outside. */
  async function isServed(ns: TestNamespace, service: Service, pods: readonly string[]): Promise<void> {
    await ns.servedBy('client', `${service.metadata?.name}:80`, pods);
    await ns.servedBy('client', `${clusterIp(service)}:80`, pods);
    if (service.spec?.type !== 'NodePort') return;
    for (const ip of nodeIps())
      for (const place of ['client', 'outside']) await ns.servedBy(place, `${ip}:${nodePort(service)}`, pods);
    await ns.servedBy('node1', `${nodeIps()[0]}:${nodePort(service)}`, pods);
    await ns.servedBy('node1', `${nodeIps()[1]}:${nodePort(service)}`, pods);
  }

  /** Its name is another name for `target`, whose cluster IP `ip` is. */
  async function isNameFor(ns: TestNamespace, name: string, target: string, ip: string): Promise<void> {
    await retry(async () => {
      const lines = (await ns.output('client', 'dig', '+short', '+search', name)).trim().split('\n');
      assert.deepEqual(lines, [`${target}.`, ip]);
    });
  }

  test('should be able to create a functioning NodePort service [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'nodeport');
    const service = await ns.service('nodeport-test', { type: 'NodePort', ports: [http] });
    await servers(ns, 'nodeport-test');
    await isServed(ns, service, ['nodeport-test-1', 'nodeport-test-2']);
  });

  const change = (ns: TestNamespace, name: string, spec: (old: ServiceSpec) => ServiceSpec) =>
    ns.updateService(name, (old) => ({ ...old, spec: spec(old.spec ?? {}) }));

  for (const type of ['ClusterIP', 'NodePort'] as const)
    test(`should be able to change the type from ExternalName to ${type} [Conformance]`, async () => {
      const ns = await TestNamespace.create(lab, 'from-external');
      const created = await ns.service('externalname-service', {
        type: 'ExternalName',
        externalName: 'foo.example.com',
      });
      assert.equal(created.spec?.clusterIP ?? '', '');
      await servers(ns, 'externalname-service');
      const service = await change(ns, 'externalname-service', (old) => ({
        ...old,
        type,
        externalName: '',
        ports: [http],
      }));
      await isServed(ns, service, ['externalname-service-1', 'externalname-service-2']);
    });

  for (const type of ['ClusterIP', 'NodePort'] as const)
    test(`should be able to change the type from ${type} to ExternalName [Conformance]`, async () => {
      const ns = await TestNamespace.create(lab, 'to-external');
      const other = await ns.service('externalsvc', { ports: [http] });
      const service = await ns.service('changing', { type, ports: [http] });
      await servers(ns, 'externalsvc');
      const target = `externalsvc.${ns.name}.svc.cluster.local`;
      const changed = await change(ns, 'changing', (old) => ({
        ...old,
        type: 'ExternalName',
        externalName: target,
      }));
      assert.equal(changed.spec?.clusterIP ?? '', '');
      await isNameFor(ns, 'changing', target, clusterIp(other));
      await ns.servedBy('client', 'changing:80', ['externalsvc-1', 'externalsvc-2']);
      await ns.unreachable('client', `${clusterIp(service)}:80`);
      if (type === 'NodePort') {
        await ns.refused('outside', `${nodeIps()[0]}:${nodePort(service)}`);
        await ns.service('heir', { type, ports: [{ ...http, nodePort: nodePort(service) }] });
      }
    });

  test('should be able to update service type to NodePort listening on same port number but different protocols', async () => {
    const ns = await TestNamespace.create(lab, 'same-port');
    const created = await ns.service('nodeport-update-service', { ports: [http] });
    assert.equal(created.spec?.ports?.[0]?.nodePort ?? 0, 0);
    await servers(ns, 'nodeport-update-service');
    const pods = ['nodeport-update-service-1', 'nodeport-update-service-2'];
    const tcp = await change(ns, 'nodeport-update-service', (old) => ({ ...old, type: 'NodePort' }));
    await isServed(ns, tcp, pods);
    const both = await change(ns, 'nodeport-update-service', (old) => ({
      ...old,
      ports: [...(old.ports ?? []), { name: 'udp', port: 80, targetPort: 80, protocol: 'UDP' }],
    }));
    assert.equal(nodePort(both), nodePort(tcp));
    await isServed(ns, both, pods);
    await ns.servedByUdp('client', `${clusterIp(both)}:80`, pods);
    for (const ip of nodeIps().slice(0, 2))
      await ns.servedByUdp('outside', `${ip}:${nodePort(both, 1)}`, pods);
  });

  test('should be able to update NodePorts with two same port numbers but different protocols', async () => {
    const ns = await TestNamespace.create(lab, 'two-protocols');
    const port = { port: 80, targetPort: 80, nodePort: 30_053 };
    const service = await ns.service('dns-like', {
      type: 'NodePort',
      ports: [
        { ...port, name: 'tcp', protocol: 'TCP' },
        { ...port, name: 'udp', protocol: 'UDP' },
      ],
    });
    assert.deepEqual([nodePort(service, 0), nodePort(service, 1)], [30_053, 30_053]);
    const moved = await change(ns, 'dns-like', (old) => ({
      ...old,
      ports: (old.ports ?? []).map((one) => ({ ...one, nodePort: 30_054 })),
    }));
    assert.deepEqual([nodePort(moved, 0), nodePort(moved, 1)], [30_054, 30_054]);
    await servers(ns, 'dns-like');
    await ns.servedBy('outside', `${nodeIps()[0]}:30054`, ['dns-like-1', 'dns-like-2']);
    await ns.servedByUdp('outside', `${nodeIps()[0]}:30054`, ['dns-like-1', 'dns-like-2']);
    await ns.refused('outside', `${nodeIps()[0]}:30053`);
  });

  test('should prevent NodePort collisions', async () => {
    const ns = await TestNamespace.create(lab, 'collisions');
    const first = await ns.service('nodeport-collision-1', { type: 'NodePort', ports: [{ port: 80 }] });
    const spec: ServiceSpec = { type: 'NodePort', ports: [{ port: 80, nodePort: nodePort(first) }] };
    await assert.rejects(
      ns.service('nodeport-collision-2', spec),
      new RegExp(`${nodePort(first)}.*port is already allocated`, 's'),
    );
    await ns.deleteService('nodeport-collision-1');
    await ns.service('nodeport-collision-2', spec);
  });

  test('should check NodePort out-of-range', async () => {
    const ns = await TestNamespace.create(lab, 'range');
    await ns.service('nodeport-range-test', { type: 'NodePort', ports: [{ port: 80 }] });
    for (const number of [1, 29_999, 32_768, 65_535]) {
      const expected = new RegExp(`${number}.*port is not in the valid range`, 's');
      await assert.rejects(
        change(ns, 'nodeport-range-test', (old) => ({ ...old, ports: [{ port: 80, nodePort: number }] })),
        expected,
      );
      await assert.rejects(
        ns.service('out-of-range', { type: 'NodePort', ports: [{ port: 80, nodePort: number }] }),
        expected,
      );
    }
  });

  test('should release NodePorts on delete', async () => {
    const ns = await TestNamespace.create(lab, 'reuse');
    const first = await ns.service('nodeport-reuse', { type: 'NodePort', ports: [http] });
    const port = nodePort(first);
    await servers(ns, 'nodeport-reuse');
    await ns.servedBy('outside', `${nodeIps()[0]}:${port}`, ['nodeport-reuse-1', 'nodeport-reuse-2']);
    await ns.deleteService('nodeport-reuse');
    await ns.refused('outside', `${nodeIps()[0]}:${port}`);
    assert.doesNotMatch(await lab.exec('node1', 'ss', '-Hltn'), new RegExp(`:${port}\\b`));
    await ns.service('nodeport-reuse', { type: 'NodePort', ports: [{ ...http, nodePort: port }] });
    await ns.servedBy('outside', `${nodeIps()[0]}:${port}`, ['nodeport-reuse-1', 'nodeport-reuse-2']);
  });

  test('should release NodePorts on update', async () => {
    const ns = await TestNamespace.create(lab, 'released');
    const first = await ns.service('giver', { type: 'NodePort', ports: [http] });
    await ns.service('taker', { type: 'NodePort', ports: [http] });
    const take = () =>
      change(ns, 'taker', (old) => ({ ...old, ports: [{ ...http, nodePort: nodePort(first) }] }));
    await assert.rejects(take(), /port is already allocated/);
    await change(ns, 'giver', (old) => ({ ...old, type: 'ClusterIP' }));
    assert.equal(nodePort(await take()), nodePort(first));
  });

  test('should support externalTrafficPolicy=Local for type=NodePort', async () => {
    const ns = await TestNamespace.create(lab, 'local-nodeport');
    const service = await ns.service('external-local-nodeport', {
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      ports: [http],
    });
    await Promise.all([
      ns.client('client', { node: 'node2' }),
      ns.netexec('server', 'external-local-nodeport', { node: 'node1' }),
    ]);
    const [own = '', other = ''] = nodeIps().map((ip) => `${ip}:${nodePort(service)}`);
    await retry(async () => {
      const [seen = ''] = await ns.ask('outside', own, { path: 'clientip' });
      assert.equal(seen.split(':')[0], '198.51.100.10');
    });
    await ns.unanswered('outside', other);
    // Inside the cluster every node port serves: only what comes from outside is bound to local endpoints.
    await ns.servedBy('client', other, ['server']);
    await ns.servedBy('node2', other, ['server']);
  });

  test('should serve endpoints on same port and different protocol for internal traffic on Type LoadBalancer', async () => {
    const ns = await TestNamespace.create(lab, 'lb-internal');
    const ports: readonly ServicePort[] = [http, { ...http, name: 'udp', protocol: 'UDP' }];
    const service = await ns.service('multiprotocol-lb-test', { type: 'LoadBalancer', ports: [...ports] });
    await servers(ns, 'multiprotocol-lb-test');
    const pods = ['multiprotocol-lb-test-1', 'multiprotocol-lb-test-2'];
    const target = `${clusterIp(service)}:80`;
    await ns.servedBy('client', target, pods);
    await ns.servedByUdp('client', target, pods);
    await change(ns, 'multiprotocol-lb-test', (old) => ({
      ...old,
      ports: (old.ports ?? []).filter(({ protocol }) => protocol === 'UDP'),
    }));
    await ns.unreachable('client', target);
    await ns.servedByUdp('client', target, pods);
  });
});
