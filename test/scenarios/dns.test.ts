import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PodSpec, ServiceSpec } from '#kube-api';
import { TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { clusterIp, TestNamespace } from './support/test-namespace.ts';

const CLUSTER_DNS = '10.96.0.10';

/** A DNS server that knows one name; stands for agnhost's, which is CoreDNS with a hosts file. */
const ONE_NAME_SERVER = `
  const [name, address] = process.argv.slice(1);
  const socket = require('node:dgram').createSocket('udp4', (query, from) => {
    const labels = [];
    let at = 12;
    for (; query[at] !== 0; at += 1 + query[at]) labels.push(query.toString('latin1', at + 1, at + 1 + query[at]));
    const end = at + 5;
    const isKnown = labels.join('.') === name;
    const hasAnswer = isKnown && query.readUInt16BE(at + 1) === 1;
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(isKnown ? 0x8500 : 0x8503, 2);
    header.writeUInt32BE(hasAnswer ? 0x10001 : 0x10000, 4);
    header.writeUInt32BE(0, 8);
    const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, ...address.split('.').map(Number)]);
    const parts = [header, query.subarray(12, end), ...(hasAnswer ? [answer] : [])];
    socket.send(Buffer.concat(parts), from.port, from.address);
  });
  socket.bind(53);
`;

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] DNS', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });

  const querier = (ns: TestNamespace, name: string, spec: Partial<PodSpec> = {}, app = 'dns-test') =>
    ns.client(name, { spec, labels: { app } });

  /** The answers by UDP and by TCP, which must be the same, with the search list. */
  async function dig(ns: TestNamespace, pod: string, type: string, name: string): Promise<readonly string[]> {
    const ask = async (transport: string) =>
      (await ns.output(pod, 'dig', transport, '+short', '+search', '+tries=1', '+time=3', name, type))
        .split('\n')
        .filter((line) => line !== '')
        .sort();
    const [udp, tcp] = [await ask('+notcp'), await ask('+tcp')];
    assert.deepEqual(udp, tcp);
    return udp;
  }

  async function answers(
    ns: TestNamespace,
    pod: string,
    type: string,
    names: readonly string[],
    expected: readonly string[],
  ): Promise<void> {
    for (const name of names)
      await retry(async () =>
        assert.deepEqual(await dig(ns, pod, type, name), [...expected].sort(), `${name} ${type}`),
      );
  }

  /** `getent hosts`, as programs of the C library resolve. */
  const hosts = async (ns: TestNamespace, pod: string, name: string) =>
    (await ns.output(pod, 'getent', 'ahostsv4', name)).split(/\s+/)[0];

  test('should provide DNS for the cluster [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    await querier(ns, 'dns-test');
    await answers(ns, 'dns-test', 'A', ['kubernetes.default.svc.cluster.local'], ['10.96.0.1']);
    assert.equal(await hosts(ns, 'dns-test', 'kubernetes.default.svc.cluster.local'), '10.96.0.1');
  });

  test('should resolve DNS of partial qualified names for the cluster [LinuxOnly]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    await querier(ns, 'dns-test');
    const names = ['kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'];
    await answers(ns, 'dns-test', 'A', names, ['10.96.0.1']);
    for (const name of names) assert.equal(await hosts(ns, 'dns-test', name), '10.96.0.1');
  });

  test('should provide /etc/hosts entries for the cluster [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    const spec = { hostname: 'dns-querier-1', subdomain: 'dns-test-service' };
    const pod = await querier(ns, 'dns-test', spec);
    for (const name of [`dns-querier-1.dns-test-service.${ns.name}.svc.cluster.local`, 'dns-querier-1']) {
      const entry = await ns.output('dns-test', 'sh', '-c', `grep -wF ${name} /etc/hosts`);
      assert.equal(entry.split(/\s+/)[0], pod.status?.podIP);
      assert.equal(await hosts(ns, 'dns-test', name), pod.status?.podIP);
    }
  });

  /** A headless Service and one with a cluster IP, over the same Pod. */
  async function twoServices(ns: TestNamespace) {
    const spec: ServiceSpec = { selector: { app: 'dns-test' }, ports: [{ name: 'http', port: 80 }] };
    await ns.service('dns-test-service', { ...spec, clusterIP: 'None' });
    const regular = await ns.service('test-service-2', spec);
    const pods = await Promise.all(['dns-test-1', 'dns-test-2'].map((name) => querier(ns, name)));
    const podIps = pods.map(({ status }) => status?.podIP ?? '');
    await ns.endpoints('dns-test-service', { 'dns-test-1': [80], 'dns-test-2': [80] });
    return { ip: clusterIp(regular), podIps };
  }

  /** Names of SRV targets: of endpoints without a hostname, their address with dashes. */
  const srv = (ns: TestNamespace, podIps: readonly string[]) =>
    podIps.map((ip) => `0 50 80 ${ip.replaceAll('.', '-')}.dns-test-service.${ns.name}.svc.cluster.local.`);

  test('should provide DNS for services [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    const { ip, podIps } = await twoServices(ns);
    const full = (name: string) => [`${name}.${ns.name}.svc.cluster.local`];
    await answers(ns, 'dns-test-1', 'A', full('dns-test-service'), podIps);
    await answers(ns, 'dns-test-1', 'A', full('test-service-2'), [ip]);
    await answers(ns, 'dns-test-1', 'SRV', full('_http._tcp.dns-test-service'), srv(ns, podIps));
    await answers(ns, 'dns-test-1', 'SRV', full('_http._tcp.test-service-2'), [
      `0 100 80 test-service-2.${ns.name}.svc.cluster.local.`,
    ]);
    const reverse = `${ip.split('.').toReversed().join('.')}.in-addr.arpa.`;
    await answers(ns, 'dns-test-1', 'PTR', [reverse], [`test-service-2.${ns.name}.svc.cluster.local.`]);
  });

  test('should resolve DNS of partial qualified names for services [LinuxOnly] [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    const { ip, podIps } = await twoServices(ns);
    const partial = (name: string) => [name, `${name}.${ns.name}`, `${name}.${ns.name}.svc`];
    await answers(ns, 'dns-test-1', 'A', partial('dns-test-service'), podIps);
    await answers(ns, 'dns-test-1', 'A', partial('test-service-2'), [ip]);
    const names = [`_http._tcp.dns-test-service.${ns.name}.svc`];
    await answers(ns, 'dns-test-1', 'SRV', names, srv(ns, podIps));
    await answers(
      ns,
      'dns-test-1',
      'SRV',
      [`_http._tcp.test-service-2.${ns.name}.svc`],
      [`0 100 80 test-service-2.${ns.name}.svc.cluster.local.`],
    );
    for (const name of partial('test-service-2')) assert.equal(await hosts(ns, 'dns-test-1', name), ip);
  });

  test('HostNetwork should resolve DNS of partial qualified names for services on hostNetwork pods with dnsPolicy: ClusterFirstWithHostNet [LinuxOnly]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    const { ip, podIps } = await twoServices(ns);
    const spec: Partial<PodSpec> = { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' };
    await querier(ns, 'host-querier', spec, 'host-querier');
    const partial = (name: string) => [name, `${name}.${ns.name}`, `${name}.${ns.name}.svc`];
    await answers(ns, 'host-querier', 'A', partial('dns-test-service'), podIps);
    await answers(ns, 'host-querier', 'A', partial('test-service-2'), [ip]);
  });

  test('should provide DNS for pods for Hostname [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    await ns.service('dns-test-service-2', { clusterIP: 'None', ports: [{ name: 'http', port: 80 }] });
    const spec = { hostname: 'dns-querier-2', subdomain: 'dns-test-service-2' };
    const pod = await querier(ns, 'dns-test', spec, 'dns-test-service-2');
    const name = `dns-querier-2.dns-test-service-2.${ns.name}.svc.cluster.local`;
    await answers(ns, 'dns-test', 'A', [name], [pod.status?.podIP ?? '']);
    assert.equal(await hosts(ns, 'dns-test', name), pod.status?.podIP);
    assert.equal(await hosts(ns, 'dns-test', 'dns-querier-2'), pod.status?.podIP);
  });

  test('should provide DNS for pods for Subdomain [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    await ns.service('dns-test-service-2', { clusterIP: 'None', ports: [{ name: 'http', port: 80 }] });
    const spec = { hostname: 'dns-querier-2', subdomain: 'dns-test-service-2' };
    const pod = await querier(ns, 'dns-test', spec, 'dns-test-service-2');
    const name = `dns-test-service-2.${ns.name}.svc.cluster.local`;
    await answers(ns, 'dns-test', 'A', [name], [pod.status?.podIP ?? '']);
    assert.equal(await hosts(ns, 'dns-test', name), pod.status?.podIP);
  });

  test('should provide DNS for ExternalName services [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    await querier(ns, 'dns-test');
    await ns.service('dns-test-service-3', { type: 'ExternalName', externalName: 'foo.example.com' });
    const name = [`dns-test-service-3.${ns.name}.svc.cluster.local`];
    await answers(ns, 'dns-test', 'CNAME', name, ['foo.example.com.']);
    await ns.updateService('dns-test-service-3', (old) => ({
      ...old,
      spec: { ...old.spec, externalName: 'bar.example.com' },
    }));
    await answers(ns, 'dns-test', 'CNAME', name, ['bar.example.com.']);
    const changed = await ns.updateService('dns-test-service-3', (old) => ({
      ...old,
      spec: { ...old.spec, type: 'ClusterIP', externalName: '', ports: [{ name: 'http', port: 80 }] },
    }));
    await answers(ns, 'dns-test', 'A', name, [clusterIp(changed)]);
    await answers(ns, 'dns-test', 'CNAME', name, []);
  });

  const resolvConf = (ns: TestNamespace, pod: string) => ns.output(pod, 'cat', '/etc/resolv.conf');

  test('should support configurable pod DNS nameservers [Conformance]', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    await querier(ns, 'test-dns-nameservers', {
      dnsPolicy: 'None',
      dnsConfig: { nameservers: ['1.1.1.1'], searches: ['resolv.conf.local'] },
    });
    const lines = (await resolvConf(ns, 'test-dns-nameservers')).trim().split('\n').sort();
    assert.deepEqual(lines, ['nameserver 1.1.1.1', 'search resolv.conf.local']);
  });

  test('should support configurable pod resolv.conf', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    const server = await ns.pod('configmap-dns-server', {
      container: {
        command: [process.execPath, '-e', ONE_NAME_SERVER, 'notexistname.resolv.conf.local', '2.2.2.2'],
      },
    });
    await querier(ns, 'e2e-dns-utils', {
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: [server.status?.podIP ?? ''],
        searches: ['resolv.conf.local'],
        options: [{ name: 'ndots', value: '2' }],
      },
    });
    assert.match(await resolvConf(ns, 'e2e-dns-utils'), /^options ndots:2$/m);
    // The name has fewer than two dots: the search list comes first, at the Pod's own nameserver.
    const command = ['dig', '+short', '+search', '+tries=1', '+time=3', 'notexistname', 'A'];
    await retry(async () => assert.equal(await ns.output('e2e-dns-utils', ...command), '2.2.2.2\n'));
    assert.equal(await hosts(ns, 'e2e-dns-utils', 'notexistname'), '2.2.2.2');
  });

  test('should work with the pod containing more than 6 DNS search paths and longer than 256 search characters', async () => {
    const ns = await TestNamespace.create(lab, 'dns');
    // With the one that counts as many as dig reads, eight; the C library reads all.
    const searches = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(
      (letter) => `${letter.repeat(40)}.${letter.repeat(20)}.svc.cluster.local`,
    );
    await querier(ns, 'dns-test', {
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: [CLUSTER_DNS],
        searches: [...searches, 'svc.cluster.local'],
        options: [{ name: 'ndots', value: '5' }],
      },
    });
    const conf = await resolvConf(ns, 'dns-test');
    assert.ok(conf.split('\n').includes(`search ${searches.join(' ')} svc.cluster.local`), conf);
    await answers(ns, 'dns-test', 'A', ['kubernetes.default'], ['10.96.0.1']);
    assert.equal(await hosts(ns, 'dns-test', 'kubernetes.default'), '10.96.0.1');
  });
});
