import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { parseIp } from '#ip';
import { bindIn, sandboxedKernel } from '#kernel';
import { eventually } from '#runtime';
import { compileClient } from './client/compile.ts';
import { installExecutable } from './executable.ts';
import { execute, startCniNode } from './fixture.ts';

sandboxedKernel();
const CONFIG = { cniVersion: '1.1.0', name: 'podway', type: 'podway' };

function pod(name: string, command: string, extra: Readonly<Record<string, string>> = {}) {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: name,
    CNI_NETNS: `/run/netns/${name}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/opt/cni/bin',
    ...extra,
  };
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8' });
}

/** Who answers there. */
function ask(host: string, port: number, localAddress?: string): Promise<string> {
  return text(connect({ host, port, ...(localAddress !== undefined && { localAddress }) }));
}

const compiled = await compileClient();
const CLIENTS = [
  { name: 'script', client: undefined, skip: false },
  { name: 'compiled', client: compiled, skip: compiled === undefined ? 'no C compiler' : false },
] as const;

for (const { name, client, skip } of CLIENTS)
  describe(`CNI executable (${name}), agent and kernel`, { skip }, () => {
    let node: Awaited<ReturnType<typeof startCniNode>>;
    before(async () => {
      node = await startCniNode({ podCidrs: ['10.244.1.0/24', 'fd00:244:1::/64'], client });
    });
    after(async () => {
      await node[Symbol.asyncDispose]();
    });

    /** A Pod that says its name on port 80. */
    const serve = (name: string) => {
      using netns = node.kernel.openNetns(`/run/netns/${name}`);
      const fd = bindIn(netns, { protocol: 'tcp', address: parseIp('0.0.0.0'), port: 80 });
      return createServer((socket) => socket.end(name)).listen({ fd });
    };

    test('ADD, CHECK, DEL: two Pods reach each other and the node, then nothing is left', async () => {
      for (const name of ['a', 'b']) node.kernel.createNetns(`/run/netns/${name}`)[Symbol.dispose]();
      const results = [];
      for (const name of ['a', 'b']) {
        const { exitStatus, output } = await node.run(pod(name, 'ADD'), CONFIG);
        assert.equal(exitStatus, 0, output);
        results.push(JSON.parse(output));
      }
      assert.deepEqual(
        results.map(({ ips }) => ips.map((each: { address: string }) => each.address)),
        [
          ['10.244.1.2/32', 'fd00:244:1::2/128'],
          ['10.244.1.3/32', 'fd00:244:1::3/128'],
        ],
      );
      for (const target of ['10.244.1.3', '10.244.1.1', 'fd00:244:1::3', 'fd00:244:1::1'])
        ip('netns', 'exec', 'a', 'ping', '-c1', '-w20', target);
      const check = await node.run(pod('a', 'CHECK'), { ...CONFIG, prevResult: results[0] });
      assert.deepEqual(check, { exitStatus: 0, output: '' });
      for (const name of ['a', 'b', 'a'])
        assert.deepEqual(await node.run(pod(name, 'DEL'), CONFIG), { exitStatus: 0, output: '' });
      assert.equal(node.store.count(), 0);
      assert.deepEqual(
        node.node.links.list().map((link) => link.name),
        ['lo', 'cni0'],
      );
      for (const name of ['a', 'b']) node.kernel.deleteNetns(`/run/netns/${name}`);
    });

    test('VERSION: answered without the agent, in the version that was asked with', async () => {
      const { exitStatus, output } = await node.run({ CNI_COMMAND: 'VERSION' }, { cniVersion: '0.4.0' });
      assert.equal(exitStatus, 0);
      assert.deepEqual(JSON.parse(output), {
        cniVersion: '0.4.0',
        supportedVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'],
      });
    });

    test('errors: exit status 1 and an error result that names the field', async () => {
      const cases: readonly (readonly [Readonly<Record<string, string>>, unknown, number, RegExp])[] = [
        [pod('a', 'BAD'), CONFIG, 4, /CNI_COMMAND/],
        [pod('../a', 'ADD'), CONFIG, 4, /CNI_CONTAINERID/],
        [pod('a', 'ADD', { CNI_IFNAME: 'a/b' }), CONFIG, 4, /CNI_IFNAME/],
        [pod('a', 'ADD', { CNI_NETNS: '/run/netns/../x' }), CONFIG, 4, /CNI_NETNS/],
        [pod('a', 'ADD', { CNI_NETNS: '/proc/self/ns/net' }), CONFIG, 4, /the node's own/],
        [pod('a', 'ADD', { CNI_ARGS: 'x' }), CONFIG, 4, /CNI_ARGS/],
        [pod('nowhere', 'ADD'), CONFIG, 3, /CNI_NETNS/],
        [pod('a', 'ADD'), '{', 6, /not JSON/],
        [pod('a', 'ADD'), { ...CONFIG, cniVersion: '9.9.9' }, 1, /cniVersion/],
        [pod('a', 'ADD'), { ...CONFIG, name: '../x' }, 7, /name/],
        [pod('a', 'ADD'), { ...CONFIG, runtimeConfig: { ips: ['10.9.9.9'] } }, 7, /runtimeConfig\.ips/],
        [pod('a', 'CHECK'), CONFIG, 3, /no attachment/],
        [pod('a', 'GC'), CONFIG, 7, /valid-attachments/],
        [pod('a', 'ADD'), 'x'.repeat(2 ** 20 + 1), 6, /is larger than/],
      ];
      for (const [environment, config, code, message] of cases) {
        const { exitStatus, output } = await node.run(environment, config);
        const result = JSON.parse(output);
        assert.deepEqual([exitStatus, result.code], [1, code], output);
        assert.match(result.msg, message);
      }
      assert.equal(node.store.count(), 0);
    });

    test('hostPort: reached from the Pod itself and the node, refused twice, gone with the Pod', async () => {
      for (const name of ['a', 'b']) node.kernel.createNetns(`/run/netns/${name}`)[Symbol.dispose]();
      const portMappings = [
        { hostPort: 8081, containerPort: 80, protocol: 'tcp' },
        { hostPort: 5353, containerPort: 53, protocol: 'udp', hostIP: '10.244.1.1' },
      ];
      const config = { ...CONFIG, runtimeConfig: { portMappings } };
      const add = await node.run(pod('a', 'ADD'), config);
      assert.equal(add.exitStatus, 0, add.output);
      const address: string = JSON.parse(add.output).ips[0].address.replace('/32', '');
      const server = serve('a');
      try {
        assert.equal(await text(connect(8081, '10.244.1.1')), 'a');
        ip('netns', 'exec', 'a', 'nc', '-zw10', '10.244.1.1', '8081');
      } finally {
        server.close();
      }
      const flows = () =>
        execFileSync('conntrack', ['-L', '-p', 'udp'], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
      const client = createSocket('udp4');
      await new Promise((resolve) => client.send('x', 5353, '10.244.1.1', resolve));
      client.close();
      assert.match(flows(), new RegExp(`dport=5353 .*src=${address}`));
      const rules = execFileSync('nft', ['list', 'table', 'ip', 'podway-hostport'], { encoding: 'utf8' });
      assert.ok(rules.includes(`{ 8081 : ${address} . 80 }`), rules);
      assert.ok(rules.includes(`{ 10.244.1.1 . 5353 : ${address} . 53 }`), rules);
      const second = await node.run(pod('b', 'ADD'), config);
      assert.equal(JSON.parse(second.output).msg, 'host port 8081/tcp is taken by container a');
      const check = () => node.run(pod('a', 'CHECK'), { ...config, prevResult: JSON.parse(add.output) });
      assert.deepEqual(await check(), { exitStatus: 0, output: '' });
      execFileSync('nft', ['flush', 'map', 'ip', 'podway-hostport', 'tcp_ports']);
      assert.match(JSON.parse((await check()).output).msg, /host port element "IPv4 tcp_ports 8081 : /);
      await node.run(pod('a', 'DEL'), CONFIG);
      assert.doesNotMatch(flows(), /dport=5353/);
      const left = execFileSync('nft', ['list', 'table', 'ip', 'podway-hostport'], { encoding: 'utf8' });
      assert.ok(!left.includes('elements'), left);
      for (const name of ['a', 'b']) node.kernel.deleteNetns(`/run/netns/${name}`);
    });

    test('hostPort: not at addresses of Services, which the node may have, but where hostIP names one', async () => {
      for (const name of ['a', 'b']) node.kernel.createNetns(`/run/netns/${name}`)[Symbol.dispose]();
      node.node.links.set('lo', { up: true });
      const add = (name: string, mapping: { readonly hostPort: number; readonly hostIP?: string }) => {
        const portMappings = [{ containerPort: 80, protocol: 'tcp', ...mapping }];
        return node.run(pod(name, 'ADD'), { ...CONFIG, runtimeConfig: { portMappings } });
      };
      assert.equal((await add('a', { hostPort: 8081 })).exitStatus, 0);
      assert.equal((await add('b', { hostPort: 8082, hostIP: '10.96.0.11' })).exitStatus, 0);
      // So packets see what the relay's routes, IPVS and cluster DNS make.
      const others = ['10.96.0.10/32', '10.96.0.11/32', '192.0.2.10/32'];
      for (const address of others) ip('address', 'add', address, 'dev', 'lo');
      const own = createServer((socket) => socket.end('the node')).listen(8081, '0.0.0.0');
      const servers = [own, ...['a', 'b'].map(serve)];
      try {
        await once(own, 'listening');
        assert.equal(await ask('192.0.2.10', 8081), 'a');
        assert.equal(await ask('10.96.0.10', 8081), 'the node');
        assert.equal(await ask('10.96.0.11', 8082), 'b');
      } finally {
        for (const server of servers) server.close();
      }
      for (const address of others) ip('address', 'delete', address, 'dev', 'lo');
      for (const name of ['a', 'b']) {
        await node.run(pod(name, 'DEL'), CONFIG);
        node.kernel.deleteNetns(`/run/netns/${name}`);
      }
    });

    test('hostPort on 127.0.0.1: reached from the node itself, beside another one of the same number; the guard is kept', async () => {
      for (const name of ['a', 'b']) node.kernel.createNetns(`/run/netns/${name}`)[Symbol.dispose]();
      node.node.links.set('lo', { up: true });
      const mapping = { hostPort: 8081, containerPort: 80, protocol: 'tcp' };
      const add = (name: string, hostIP: string) =>
        node.run(pod(name, 'ADD'), { ...CONFIG, runtimeConfig: { portMappings: [{ ...mapping, hostIP }] } });
      assert.equal((await add('a', '127.0.0.1')).exitStatus, 0);
      assert.equal((await add('b', '10.244.1.1')).exitStatus, 0, 'the same port on another address');
      const servers = ['a', 'b'].map(serve);
      try {
        assert.equal(await ask('127.0.0.1', 8081), 'a');
        assert.equal(await ask('127.0.0.1', 8081, '10.244.1.1'), 'a', 'from another address of the node');
        assert.equal(await ask('10.244.1.1', 8081), 'b');
        // What keeps the network out, as packages/kernel/loopback-routing.kernel.test.ts shows.
        execFileSync('nft', ['delete', 'table', 'ip', 'podway-loopback']);
        await node.attachments.verify();
        const guard = execFileSync('nft', ['list', 'table', 'ip', 'podway-loopback'], { encoding: 'utf8' });
        assert.match(guard, /iifname != "lo" ip daddr 127\.0\.0\.0\/8 drop/);
        assert.equal(await ask('127.0.0.1', 8081), 'a');
      } finally {
        for (const server of servers) server.close();
      }
      for (const name of ['a', 'b']) {
        await node.run(pod(name, 'DEL'), CONFIG);
        node.kernel.deleteNetns(`/run/netns/${name}`);
      }
    });

    test('bandwidth: limits both directions on the node’s side, CHECK misses them, DEL leaves nothing', async () => {
      node.kernel.createNetns('/run/netns/a')[Symbol.dispose]();
      const bandwidth = { ingressRate: 8e6, ingressBurst: 1e6, egressRate: 16e6, egressBurst: 1e6 };
      const config = { ...CONFIG, runtimeConfig: { bandwidth } };
      const add = await node.run(pod('a', 'ADD'), config);
      assert.equal(add.exitStatus, 0, add.output);
      const link: string = JSON.parse(add.output).interfaces[1].name;
      const limits = execFileSync('tc', ['qdisc', 'show'], { encoding: 'utf8' });
      assert.match(limits, new RegExp(`tbf \\S+ dev ${link} root .*rate 8Mbit`));
      assert.match(limits, new RegExp(`tbf \\S+ dev ifb${link.slice(3)} root .*rate 16Mbit`));
      ip('netns', 'exec', 'a', 'ping', '-c1', '-w20', '10.244.1.1');
      const sent = execFileSync('tc', ['-s', 'qdisc', 'show', 'dev', `ifb${link.slice(3)}`], {
        encoding: 'utf8',
      });
      assert.match(sent, /Sent [1-9]/, 'what the Pod sends passes its limit');
      const check = () => node.run(pod('a', 'CHECK'), { ...config, prevResult: JSON.parse(add.output) });
      assert.deepEqual(await check(), { exitStatus: 0, output: '' });
      execFileSync('tc', ['qdisc', 'del', 'dev', link, 'root']);
      const { code, msg } = JSON.parse((await check()).output);
      assert.deepEqual(
        [code, msg],
        [101, 'the attachment is not what ADD made: nothing limits what the Pod receives'],
      );
      await node.run(pod('a', 'DEL'), config);
      assert.deepEqual(
        node.node.links.list().map((each) => each.name),
        ['lo', 'cni0'],
      );
      node.kernel.deleteNetns('/run/netns/a');
    });

    test('runtimeConfig.mac and ips: the Pod has them, and the node knows the MAC address before it asks', async () => {
      for (const name of ['a', 'b']) node.kernel.createNetns(`/run/netns/${name}`)[Symbol.dispose]();
      // A bridge without a port that is up forgets its neighbours, sooner or later.
      await node.run(pod('b', 'ADD'), CONFIG);
      ip('netns', 'exec', 'b', 'ping', '-c1', '-w20', '10.244.1.1');
      const stale = ['10.244.1.77', 'dev', 'cni0', 'lladdr', '02:00:00:00:00:01', 'nud', 'stale'];
      ip('neighbour', 'add', ...stale);
      const runtimeConfig = { mac: '02:00:00:00:00:aa', ips: ['10.244.1.77/24', 'fd00:244:1::77'] };
      const add = await node.run(pod('a', 'ADD'), { ...CONFIG, runtimeConfig });
      assert.equal(add.exitStatus, 0, add.output);
      await eventually('it is known', () =>
        ip('neighbour', 'show', '10.244.1.77').includes('lladdr 02:00:00:00:00:aa'),
      );
      assert.deepEqual(
        JSON.parse(add.output).ips.map(({ address }: { address: string }) => address),
        ['10.244.1.77/32', 'fd00:244:1::77/128'],
      );
      assert.match(ip('-n', 'a', 'link', 'show', 'eth0'), /02:00:00:00:00:aa/);
      for (const name of ['a', 'b']) {
        await node.run(pod(name, 'DEL'), CONFIG);
        node.kernel.deleteNetns(`/run/netns/${name}`);
      }
    });

    test('verify: the bridge and the rules of host ports are repaired after others', async () => {
      node.kernel.createNetns('/run/netns/a')[Symbol.dispose]();
      const portMappings = [{ hostPort: 8081, containerPort: 80, protocol: 'tcp' }];
      assert.equal(
        (await node.run(pod('a', 'ADD'), { ...CONFIG, runtimeConfig: { portMappings } })).exitStatus,
        0,
      );
      const rules = () =>
        execFileSync('nft', ['list', 'table', 'ip', 'podway-hostport'], { encoding: 'utf8' });
      const whole = rules();
      const bridge = () => ({
        up: node.node.links.get('cni0')?.up,
        addresses: node.node.addresses
          .list({ link: 'cni0' })
          .filter(({ scope }) => scope === 'global')
          .map(({ address, prefixLength }) => `${address}/${prefixLength}`)
          .sort(),
      });
      const wholeBridge = bridge();
      for (const damage of [
        ['nft', 'delete', 'table', 'ip', 'podway-hostport'],
        ['nft', 'flush', 'map', 'ip', 'podway-hostport', 'tcp_ports'],
        ['nft', 'flush', 'chain', 'ip', 'podway-hostport', 'prerouting'],
        ['ip', 'address', 'delete', '10.244.1.1/24', 'dev', 'cni0'],
        ['ip', 'link', 'set', 'cni0', 'down'],
      ]) {
        const [command = '', ...args] = damage;
        execFileSync(command, args);
        await node.attachments.verify();
        assert.equal(rules(), whole, damage.join(' '));
        assert.deepEqual(bridge(), wholeBridge, damage.join(' '));
      }
      execFileSync('nft', ['delete', 'table', 'ip', 'podway-hostport']);
      assert.deepEqual(await node.run(pod('a', 'DEL'), CONFIG), { exitStatus: 0, output: '' });
      node.kernel.deleteNetns('/run/netns/a');
    });

    test('chained after another plugin: what came before stays, the own interface is appended', async () => {
      node.kernel.createNetns('/run/netns/a')[Symbol.dispose]();
      const before = {
        interfaces: [{ name: 'other0', sandbox: '/run/netns/a' }],
        ips: [{ version: '4', address: '192.0.2.5/24', interface: 0 }],
        dns: { nameservers: ['192.0.2.53'] },
      };
      const config = { ...CONFIG, cniVersion: '0.4.0', prevResult: { cniVersion: '0.4.0', ...before } };
      const second = { CNI_IFNAME: 'net1' };
      const { exitStatus, output } = await node.run(pod('a', 'ADD', second), config);
      assert.equal(exitStatus, 0, output);
      const { cniVersion, interfaces, ips, dns } = JSON.parse(output);
      assert.equal(cniVersion, '0.4.0');
      assert.deepEqual(
        interfaces.map(({ name }: { name: string }) => name.replace(/^pod.*/, 'pod')),
        ['other0', 'cni0', 'pod', 'net1'],
      );
      assert.deepEqual(
        ips.map((each: { version: string; interface: number }) => `${each.version} ${each.interface}`),
        ['4 0', '4 3', '6 3'],
      );
      assert.deepEqual(dns, before.dns);
      const again = await node.run(pod('a', 'ADD', second), config);
      assert.equal(again.output, output, 'asked again, the same answer');
      await node.run(pod('a', 'DEL', second), CONFIG);
      node.kernel.deleteNetns('/run/netns/a');
    });

    test('GC: ends what the runtime does not list, and only that', async () => {
      for (const name of ['a', 'b']) {
        node.kernel.createNetns(`/run/netns/${name}`)[Symbol.dispose]();
        assert.equal((await node.run(pod(name, 'ADD'), CONFIG)).exitStatus, 0);
      }
      const valid = [{ containerID: 'b', ifname: 'eth0' }];
      const gc = await node.run({ CNI_COMMAND: 'GC' }, { ...CONFIG, 'cni.dev/valid-attachments': valid });
      assert.deepEqual(gc, { exitStatus: 0, output: '' });
      assert.deepEqual(
        node.store.list().map(({ containerId }) => containerId),
        ['b'],
      );
      await node.run(pod('b', 'DEL'), CONFIG);
      for (const name of ['a', 'b']) node.kernel.deleteNetns(`/run/netns/${name}`);
    });

    test('agent that does not answer: the executable gives up after a while, as if it were away', async () => {
      const silent = createServer({ allowHalfOpen: true });
      const path = join(node.dir, 'silent', 'agent.sock');
      mkdirSync(dirname(path));
      silent.listen(path);
      await once(silent, 'listening');
      installExecutable({
        binDir: dirname(path),
        socketPath: path,
        compiledClient: client,
        searchPath: process.env['PATH'] ?? '',
        answerSeconds: 1,
      });
      const call = async (command: string) => {
        const started = performance.now();
        const result = await execute(join(dirname(path), 'podway'), pod('a', command), CONFIG);
        assert.ok(performance.now() - started >= 900, 'it gave the agent its second');
        return result;
      };
      const [{ exitStatus, output }, deleted] = await Promise.all([call('ADD'), call('DEL')]);
      assert.deepEqual([exitStatus, JSON.parse(output).code], [1, 11]);
      assert.equal(JSON.parse(output).msg, 'the Podway agent of this node does not answer');
      assert.deepEqual(deleted, { exitStatus: 0, output: '' });
      silent.close();
    });

    test('agent away: ADD says to try again later, DEL lets the Pod go', async () => {
      await node.server[Symbol.asyncDispose]();
      const calls = ['ADD', 'DEL'].map((command) => node.run(pod('a', command), CONFIG));
      const [add, deleted] = await Promise.all(calls);
      assert.equal(add?.exitStatus, 1);
      const { code, msg, details } = JSON.parse(add.output);
      assert.deepEqual([code, msg], [11, 'the Podway agent of this node does not answer']);
      assert.match(details, /agent\.sock/);
      assert.deepEqual(deleted, { exitStatus: 0, output: '' });
    });
  });
