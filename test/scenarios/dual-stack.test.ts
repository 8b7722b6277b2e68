import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { familyOf, hostInUrl, type IpFamily, parseIp } from '#ip';
import type { Pod, ServiceSpec } from '#kube-api';
import { granularChecks } from './support/granular-checks.ts';
import { TestLab } from './support/lab.ts';
import { TestNamespace } from './support/test-namespace.ts';

const familiesOf = (addresses: readonly (string | undefined)[] = []) =>
  addresses.map((address = '') => familyOf(parseIp(address)));

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] [Feature:IPv6DualStack]', () => {
  const lab = TestLab.ofSuite({ flags: ['--ip-family', 'dual'] });
  const ns = TestNamespace.ofSuite(lab, 'dualstack');
  let server: Pod;
  before(async () => {
    [server] = await Promise.all([
      ns.netexec('server', 'server', { node: 'node2', http: 8080 }),
      ns.client('client', { node: 'node1' }),
    ]);
  });

  test('should create pod, add ipv6 and ipv4 ip to pod ips', () => {
    const { podIP, podIPs } = server.status ?? {};
    assert.deepEqual(familiesOf(podIPs?.map(({ ip }) => ip)), ['IPv4', 'IPv6']);
    assert.equal(podIPs?.[0]?.ip, podIP);
  });

  test('should create pod, add ipv6 and ipv4 ip to host ips', () => {
    const { hostIP, hostIPs } = server.status ?? {};
    assert.deepEqual(
      hostIPs?.map(({ ip }) => ip),
      lab.up.nodes[1]?.ips,
    );
    assert.deepEqual(familiesOf(hostIPs?.map(({ ip }) => ip)), ['IPv4', 'IPv6']);
    assert.equal(hostIPs?.[0]?.ip, hostIP);
  });

  test('should be able to reach pod on ipv4 and ipv6 ip', async () => {
    const own = (await ns.getPod('client')).status?.podIPs ?? [];
    for (const [i, { ip = '' }] of (server.status?.podIPs ?? []).entries()) {
      const [seen = ''] = await ns.ask('client', `${hostInUrl(ip)}:8080`, { path: 'clientip' });
      assert.ok(seen.startsWith(`${hostInUrl(own[i]?.ip ?? '')}:`), `${seen} is not ${own[i]?.ip}`);
    }
  });

  const services: Readonly<Record<string, readonly [spec: ServiceSpec, families: readonly IpFamily[]]>> = {
    'should create a single stack service with cluster ip from primary service range': [{}, ['IPv4']],
    'should create service with ipv4 cluster ip': [{ ipFamilies: ['IPv4'] }, ['IPv4']],
    'should create service with ipv6 cluster ip': [{ ipFamilies: ['IPv6'] }, ['IPv6']],
    'should create service with ipv4,v6 cluster ip': [
      { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] },
      ['IPv4', 'IPv6'],
    ],
    'should create service with ipv6,v4 cluster ip': [
      { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] },
      ['IPv6', 'IPv4'],
    ],
  };
  for (const [index, [name, [spec, families]]] of Object.entries(services).entries())
    test(name, async () => {
      const ports = [{ port: 80, targetPort: 8080 }];
      const service = await ns.service(`service-${index}`, { selector: { app: 'server' }, ports, ...spec });
      assert.deepEqual(service.spec?.ipFamilies, families);
      assert.deepEqual(familiesOf(service.spec?.clusterIPs), families);
      for (const ip of service.spec?.clusterIPs ?? [])
        await ns.servedBy('client', `${hostInUrl(ip)}:80`, ['server']);
    });

  suite('Granular Checks', () => granularChecks(lab, ns, 1));
});
