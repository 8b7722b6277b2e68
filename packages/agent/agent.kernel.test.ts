import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual, promisify } from 'node:util';
import { type IpAddress, parseIp } from '#ip';
import { type Kernel, sandboxedKernel } from '#kernel';
import { ENDPOINT_SLICES, NODES, SERVICES } from '#kube-api';
import { FakeKubeClient } from '#kube-client';
import { eventually, silentLogger, systemClock } from '#runtime';
import { type Agent, startAgent } from './agent.ts';
import { cleanUpNode } from './clean-up.ts';
import { parseAgentOptions } from './options.ts';

const run = promisify(execFile);
const kernel = sandboxedKernel();
const NAMES = ['node1', 'node2'] as const;

/** Two nodes on one link, an agent each, in the test's own namespaces. */
function linkNodes(): void {
  // What an agent serves by HTTP is in the test's own namespace.
  using own = kernel.currentNetns();
  own.links.set('lo', { up: true });
  using first = kernel.createNetns('/run/netns/node1');
  using second = kernel.createNetns('/run/netns/node2');
  first.links.add({
    kind: 'veth',
    name: 'eth0',
    mtu: 1450,
    up: true,
    peer: { name: 'eth0', netns: second, mtu: 1450, up: true },
  });
  for (const [i, node] of [first, second].entries()) {
    node.links.set('lo', { up: true });
    node.addresses.add({ link: 'eth0', address: parseIp(`172.30.0.${11 + i}`), prefixLength: 16 });
  }
}

function inNode(name: string): Kernel {
  return { ...kernel, currentNetns: () => kernel.openNetns(`/run/netns/${name}`) };
}

/** Flags that say where a node's agent has what. */
function directories(dir: string, name: string): readonly string[] {
  const own = join(dir, name);
  return [
    ...['--run-dir', own, '--state-dir', `${own}/state`],
    ...['--cni-conf-dir', `${own}/net.d`, '--cni-bin-dir', `${own}/bin`],
  ];
}

function optionsOf(dir: string, name: string) {
  const command = parseAgentOptions([
    ...['--node-name', name, '--cluster-cidr', '10.244.0.0/16', '--service-cidr', '10.96.0.0/16'],
    ...['--cluster-dns', '10.96.0.10', ...directories(dir, name)],
    ...['--health-address', '127.0.0.1:0', '--metrics-address', '127.0.0.1:0'],
    ...['--nodeport-addresses', '172.30.0.0/16,127.0.0.0/8'],
  ]);
  assert.ok(command.kind === 'run');
  return command.options;
}

async function createNode(
  client: FakeKubeClient,
  name: string,
  i: number,
  address: IpAddress,
): Promise<void> {
  await client.create(NODES, {
    metadata: { name },
    spec: { podCIDR: `10.244.${i}.0/24`, podCIDRs: [`10.244.${i}.0/24`] },
    status: { addresses: [{ type: 'InternalIP', address }] },
  });
}

function inside(name: string, ...command: readonly string[]): string {
  return execFileSync('ip', ['netns', 'exec', name, ...command], {
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

describe('agents of two nodes', () => {
  const dir = mkdtempSync('/tmp/agent-test-');
  const client = new FakeKubeClient();
  const agents: Agent[] = [];

  const start = (name: string) =>
    startAgent(optionsOf(dir, name), {
      kernel: inNode(name),
      client,
      clock: systemClock,
      logger: silentLogger,
    });

  const cni = async (node: string, pod: string, command: string): Promise<unknown> => {
    const environment = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: pod,
      CNI_NETNS: `/run/netns/${pod}`,
      CNI_IFNAME: 'eth0',
    };
    const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    const child = run('env', [...variables, join(dir, node, 'bin/podway')]);
    child.child.stdin?.end(JSON.stringify({ cniVersion: '1.0.0', name: 'podway', type: 'podway' }));
    const { stdout } = await child;
    return stdout === '' ? undefined : JSON.parse(stdout);
  };

  const route2 = () => inside('node1', 'ip', 'route', 'show', '10.244.2.0/24');

  before(async () => {
    linkNodes();
    for (const [i, name] of NAMES.entries())
      await createNode(client, name, i + 1, parseIp(`172.30.0.${11 + i}`));
    for (const name of NAMES) agents.push(await start(name));
    await Promise.all(agents.map((agent) => agent.ready));
  });
  after(async () => {
    for (const agent of agents) await agent[Symbol.asyncDispose]();
    rmSync(dir, { recursive: true });
  });

  test('startAgent: routes to the other node, masquerading and the CNI configuration are there', () => {
    assert.match(inside('node1', 'ip', 'route'), /^10\.244\.2\.0\/24 via 172\.30\.0\.12 dev eth0 proto 93/m);
    assert.match(
      inside('node1', 'nft', 'list', 'table', 'inet', 'podway-masq'),
      /ip saddr 10\.244\.1\.0\/24/,
    );
    assert.ok(existsSync(join(dir, 'node1/net.d/10-podway.conflist')));
  });

  test('CNI ADD on two nodes: the Pods reach each other under their own addresses', async () => {
    for (const [i, pod] of ['a', 'b'].entries()) {
      kernel.createNetns(`/run/netns/${pod}`)[Symbol.dispose]();
      await cni(NAMES[i] ?? '', pod, 'ADD');
    }
    inside('a', 'ping', '-c1', '-w20', '10.244.2.2');
    assert.match(inside('a', 'ip', 'link', 'show', 'eth0'), /mtu 1450/);
    // The answering side sees the Pod itself: conntrack of its node holds the Pod's address both ways.
    assert.match(
      inside('node2', 'conntrack', '-L', '-p', 'icmp'),
      /src=10\.244\.1\.2 dst=10\.244\.2\.2 .* src=10\.244\.2\.2 dst=10\.244\.1\.2/,
    );
  });

  test('startAgent: Pods reach a Service, the one that is its endpoint too, and nodes its port on loopback', async () => {
    await client.create(SERVICES, {
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        clusterIP: '10.96.0.50',
        clusterIPs: ['10.96.0.50'],
        type: 'NodePort',
        ipFamilies: ['IPv4'],
        ports: [{ port: 80, targetPort: 8080, nodePort: 30_050, protocol: 'TCP' }],
      },
    });
    await client.create(ENDPOINT_SLICES, {
      metadata: { name: 'web-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.2.2'], nodeName: 'node2', conditions: { ready: true } }],
      ports: [{ port: 8080, protocol: 'TCP', name: '' }],
    });
    const server = spawn('ip', ['netns', 'exec', 'b', 'nc', '-lk', '10.244.2.2', '8080'], {
      stdio: 'ignore',
    });
    try {
      for (const pod of ['a', 'b'])
        await eventually('it is reached', () => [inside(pod, 'nc', '-zw2', '10.96.0.50', '80')]);
      for (const node of NAMES)
        await eventually('it is reached', () => [inside(node, 'nc', '-zw2', '127.0.0.1', '30050')]);
    } finally {
      server.kill('SIGKILL');
    }
  });

  test('startAgent: a health check node port answers for the Service', async () => {
    const name = { name: 'local', namespace: 'default' };
    await client.create(SERVICES, {
      metadata: name,
      spec: {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        healthCheckNodePort: 32_100,
        clusterIP: '10.96.0.51',
        clusterIPs: ['10.96.0.51'],
        ports: [{ port: 80, nodePort: 32_101, protocol: 'TCP' }],
      },
    });
    // Both agents of this test are one process: either may have the port.
    await client.create(ENDPOINT_SLICES, {
      metadata: { ...name, labels: { 'kubernetes.io/service-name': 'local' } },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.244.1.2'], nodeName: 'node1' },
        { addresses: ['10.244.2.2'], nodeName: 'node2' },
      ],
      ports: [{ port: 80, protocol: 'TCP', name: '' }],
    });
    const healthz = async () =>
      await (await fetch('http://127.0.0.1:32100/healthz', { headers: { connection: 'close' } })).json();
    const healthy = { service: name, localEndpoints: 1, serviceProxyHealthy: true };
    await eventually('it answers', async () => isDeepStrictEqual(await healthz(), healthy));
    await client.delete(ENDPOINT_SLICES, name);
    await client.delete(SERVICES, name);
    await eventually('nobody answers', () =>
      healthz().then(
        () => false,
        () => true,
      ),
    );
  });

  test('startAgent: a restart changes nothing in the kernel, also while the API server is away', async () => {
    // Indices and handles would show that a thing was made anew; IPv6 link-local addresses change by themselves.
    const state = () => {
      using node = kernel.openNetns('/run/netns/node1');
      return {
        links: node.links.list(),
        addresses: node.addresses.list({ family: 'IPv4' }),
        routes: node.routes.list({ family: 'IPv4' }),
        rules: inside('node1', 'nft', '-a', 'list', 'ruleset'),
      };
    };
    const before = state();
    await agents[0]?.[Symbol.asyncDispose]();
    const again = await start('node1');
    agents[0] = again;
    await again.ready;
    assert.deepEqual(state(), before);

    client.setAway(true);
    await again[Symbol.asyncDispose]();
    agents[0] = await start('node1');
    kernel.createNetns('/run/netns/c')[Symbol.dispose]();
    await cni('node1', 'c', 'ADD');
    inside('c', 'ping', '-c1', '-w20', '10.244.2.2');
    await cni('node1', 'c', 'DEL');
    client.setAway(false);
    await agents[0].ready;
    assert.deepEqual(state(), before);
  });

  test('masquerade: outside the cluster a Pod is seen as its node', () => {
    inside('node2', 'ip', 'address', 'add', '198.51.100.10/32', 'dev', 'lo');
    inside('node1', 'ip', 'route', 'add', '198.51.100.0/24', 'via', '172.30.0.12');
    inside('a', 'ping', '-c1', '-w20', '198.51.100.10');
    assert.match(inside('node2', 'conntrack', '-L', '-p', 'icmp'), /src=172\.30\.0\.11 dst=198\.51\.100\.10/);
    inside('node1', 'ip', 'route', 'del', '198.51.100.0/24');
  });

  test('startAgent: a route that somebody deletes is there again', async () => {
    inside('node1', 'ip', 'route', 'del', '10.244.2.0/24');
    await eventually('it is there', () => route2().includes('via 172.30.0.12'));
  });

  test('startAgent: a node that changes its address is followed, one that goes is forgotten', async () => {
    inside('node2', 'ip', 'address', 'add', '172.30.0.99/16', 'dev', 'eth0');
    const node = await client.get(NODES, { name: 'node2' });
    const moved = { ...node, status: { addresses: [{ type: 'InternalIP', address: '172.30.0.99' }] } };
    await client.update(NODES, moved, 'status');
    await eventually('it is followed', () => route2().includes('via 172.30.0.99'));
    inside('a', 'ping', '-c1', '-w20', '10.244.2.2');
    await client.delete(NODES, { name: 'node2' });
    await eventually('it is forgotten', () => route2() === '');
  });

  test('cleanUpNode: nothing of Podway is left, and nothing else is gone', async () => {
    inside('node1', 'ip', 'route', 'add', '192.0.2.0/24', 'via', '172.30.0.12');
    await agents.shift()?.[Symbol.asyncDispose]();
    const command = parseAgentOptions(['--cleanup', ...directories(dir, 'node1')]);
    assert.ok(command.kind === 'cleanup');
    await cleanUpNode(command.options, { kernel: inNode('node1'), logger: silentLogger });
    assert.deepEqual(inside('node1', 'ip', '-br', 'link').match(/^\S+/gm), ['lo', 'eth0@if2']);
    assert.equal(inside('node1', 'ip', 'route').trim().split('\n').length, 2);
    assert.equal(inside('node1', 'nft', 'list', 'ruleset'), '');
    assert.deepEqual(readdirSync(join(dir, 'node1'), { recursive: true }).sort(), ['bin', 'net.d', 'state']);
  });
});
