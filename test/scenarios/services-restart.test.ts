import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { ROUTE_PROTOCOL_PODWAY } from '#kernel';
import type { ProxyMechanism } from '#service-proxy';
import { TestLab } from './support/lab.ts';
import { AGENT, API_SERVER, killProcess } from './support/lab-processes.ts';
import { PROXY } from './support/proxy.ts';
import { retry } from './support/retry.ts';
import { clusterIp, TestNamespace } from './support/test-namespace.ts';

/** What takes away the better part of what each mechanism made. */
const DESTRUCTION: Readonly<Record<ProxyMechanism, readonly string[]>> = {
  nftables: ['nft', 'delete', 'table', 'ip', 'podway'],
  iptables: ['iptables', '-t', 'nat', '-F'],
  ipvs: ['ip', 'link', 'delete', 'kube-ipvs0'],
  userspace: ['ip', 'route', 'flush', 'table', 'local', 'proto', String(ROUTE_PROTOCOL_PODWAY)],
};

/** Cases of Kubernetes' network suite under their own names; docs/conformance.md lists all of them. */
suite('[sig-network] Services: restarts', () => {
  const lab = TestLab.ofSuite({ nodes: 2 });
  const ns = TestNamespace.ofSuite(lab, 'restarts');

  before(() => ns.client('client', { node: 'node1' }));

  interface Running {
    readonly target: string;
    readonly pods: readonly string[];
  }

  async function start(name: string): Promise<Running> {
    const service = await ns.service(name, { ports: [{ port: 80 }] });
    const pods = ['node1', 'node2'].map((node) => `${name}-${node}`);
    await Promise.all(['node1', 'node2'].map((node) => ns.netexec(`${name}-${node}`, name, { node })));
    return { target: `${clusterIp(service)}:80`, pods };
  }

  async function isUp({ target, pods }: Running): Promise<void> {
    await ns.servedBy('node1', target, pods);
    await ns.servedBy('client', target, pods);
  }

  const answersHealthz = () =>
    retry(async () =>
      assert.match(
        await lab.exec('node1', 'curl', '-sS', '-f', '-m', '20', 'http://127.0.0.1:10256/healthz'),
        /./,
      ),
    );

  test('should work after restarting kube-proxy [Disruptive]', async () => {
    const [one, two] = await Promise.all([start('restart-proxy-1'), start('restart-proxy-2')]);
    assert.notEqual(one.target, two.target);
    await isUp(one);
    await isUp(two);
    await killProcess(lab, AGENT);
    await isUp(one);
    await isUp(two);
    await answersHealthz();
    const three = await start('restart-proxy-3');
    await isUp(three);
    await ns.deleteService('restart-proxy-1');
    await ns.unreachable('client', one.target);
    await isUp(two);
  });

  test('should work after restarting apiserver [Disruptive]', async () => {
    const one = await start('restart-apiserver-1');
    await isUp(one);
    await killProcess(lab, API_SERVER);
    // One of two is missing among forty by chance once in 5e11 times.
    assert.deepEqual(
      [...new Set(await ns.ask('client', one.target, { count: 40 }))].sort(),
      one.pods,
      'the proxy serves on while the API server is away',
    );
    await retry(async () => assert.equal(await lab.kubectl('get', '--raw', '/readyz'), 'ok'));
    await isUp(one);
    const two = await start('restart-apiserver-2');
    assert.notEqual(two.target, one.target);
    await isUp(one);
    await isUp(two);
  });

  test('should recreate its iptables rules if they are deleted [Disruptive]', async () => {
    const one = await start('recreate-rules');
    await isUp(one);
    // The case takes away what the proxy made, whatever that is.
    await lab.exec('node1', ...DESTRUCTION[PROXY]);
    await isUp(one);
  });

  test('Networking should check kube-proxy urls', async () => {
    const get = (url: string) =>
      lab.exec('node1', 'curl', '-sS', '-f', '-m', '20', `http://127.0.0.1:${url}`);
    await answersHealthz();
    assert.match(JSON.parse(await get('10256/healthz')).lastUpdated, /^\d{4}-\d\d-\d\dT/);
    assert.equal(await get('10249/proxyMode'), PROXY);
  });
});
