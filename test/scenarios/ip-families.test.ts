import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { hostInUrl, isIp, parseIp, parsePrefix, prefixContains } from '#ip';
import { TestLab } from './support/lab.ts';
import { PROXY } from './support/proxy.ts';
import { retry } from './support/retry.ts';
import { nodePort, TestNamespace } from './support/test-namespace.ts';

const RANGES = {
  ipv6: { pods: ['fd00:10:244::/56'], services: ['fd00:10:96::/112'], nodes: ['fd00:172:30::/64'] },
  dual: {
    pods: ['10.244.0.0/16', 'fd00:10:244::/56'],
    services: ['10.96.0.0/16', 'fd00:10:96::/112'],
    nodes: ['172.30.0.0/16', 'fd00:172:30::/64'],
  },
};
const OUTSIDE = ['198.51.100.10', '2001:db8:51::a'];

/** One address of each range, in their order. */
function assertWithin(addresses: readonly string[], ranges: readonly string[]): void {
  assert.equal(addresses.length, ranges.length, `${addresses}`);
  for (const [i, address] of addresses.entries())
    assert.ok(prefixContains(parsePrefix(ranges[i] ?? ''), parseIp(address)), `${address} in ${ranges[i]}`);
}

for (const [family, { pods, services, nodes }] of Object.entries(RANGES))
  suite(`lab up --ip-family ${family}`, () => {
    const lab = TestLab.ofSuite({ nodes: 2, flags: ['--ip-family', family] });
    const ns = TestNamespace.ofSuite(lab, 'families');
    before(async () => {
      const both = (name: string, node: string) => ns.netexec(name, name, { node, http: 8080 });
      await Promise.all([both('near', 'node1'), both('far', 'node2')]);
    });
    const podIps = async (name: string) =>
      ((await ns.getPod(name)).status?.podIPs ?? []).map(({ ip }) => ip ?? '');

    test('a Pod and a node have an address of each family; DNS answers while the lab boots', async () => {
      assertWithin(await podIps('near'), pods);
      for (const { ips } of lab.up.nodes) assertWithin(ips, nodes);
      assert.ok(lab.up.dnsMilliseconds !== null);
    });

    test('Pods reach Pods of the other node, and see their addresses', async () => {
      const [own, others] = [await podIps('near'), await podIps('far')];
      for (const [i, address] of others.entries()) {
        const [seen] = await ns.ask('near', `${hostInUrl(address)}:8080`, { path: 'clientip' });
        assert.match(seen ?? '', new RegExp(`^\\[?${own[i]}\\]?:\\d+$`));
      }
    });

    test('a Service has an address of each family, by number, by name, and from outside by its node port', async () => {
      const service = await ns.service('far', {
        type: 'NodePort',
        ipFamilyPolicy: 'PreferDualStack',
        externalTrafficPolicy: 'Local',
        ports: [{ port: 80, targetPort: 8080 }],
      });
      const ips = service.spec?.clusterIPs ?? [];
      assertWithin(ips, services);
      for (const ip of ips) await ns.servedBy('near', `${hostInUrl(ip)}:80`, ['far']);
      await retry(async () => {
        const records = [
          await ns.output('near', 'dig', '+short', '+search', 'far', 'A'),
          await ns.output('near', 'dig', '+short', '+search', 'far', 'AAAA'),
        ];
        assert.deepEqual(records.map((text) => text.trim()).filter(isIp), ips);
      });
      await ns.servedBy('near', 'far', ['far']);
      for (const address of lab.up.nodes[1]?.ips ?? []) {
        const target = `${hostInUrl(address)}:${nodePort(service)}`;
        await ns.servedBy('outside', target, ['far']);
        if (PROXY === 'userspace') continue; // a relay's connections are the node's
        const [seen = ''] = await ns.ask('outside', target, { path: 'clientip' });
        assert.ok(
          OUTSIDE.some((client) => seen.startsWith(`${hostInUrl(client)}:`)),
          seen,
        );
      }
    });

    test('kubectl: exec, logs and the API server from a Pod', async () => {
      assert.match(await lab.kubectl('exec', '-n', ns.name, 'near', '--', 'hostname'), /^near$/m);
      assert.match(await lab.kubectl('logs', '-n', ns.name, 'near'), /Started HTTP server/);
      const version = await ns.output('near', 'curl', '-sS', '-k', 'https://kubernetes.default.svc/version');
      assert.equal(JSON.parse(version).platform, 'linux/amd64');
    });
  });
