import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { parseIp, parseMac } from '#ip';
import { eventually } from '#runtime';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';
import { bindIn } from './bind-in.ts';

/** What the ports claim, seen with packets: two namespaces on a veth pair, 10.0.0.1 and 10.0.0.2. */
describe('traffic', () => {
  const kernel = sandboxedKernel();
  const here = parseIp('10.0.0.1');
  const there = parseIp('10.0.0.2');
  let a: NetworkNamespace;
  let b: NetworkNamespace;
  let client: Socket;
  let server: Socket;

  beforeEach(() => {
    a = kernel.createNetns('/run/netns/a');
    b = kernel.createNetns('/run/netns/b');
    a.links.add({ kind: 'veth', name: 'eth0', up: true, peer: { name: 'eth0', up: true, netns: b } });
    a.addresses.add({ link: 'eth0', address: here, prefixLength: 24 });
    b.addresses.add({ link: 'eth0', address: there, prefixLength: 24 });
    server = createSocket('udp4');
    server.bind({ fd: bindIn(b, { protocol: 'udp', address: there, port: 7000 }) });
    server.on('message', (message, from) => server.send(message, from.port, from.address));
    client = createSocket('udp4');
    client.bind({ fd: bindIn(a, { protocol: 'udp', address: here, port: 7001 }) });
  });
  afterEach(() => {
    client.close();
    server.close();
    for (const [netns, path] of [
      [a, '/run/netns/a'],
      [b, '/run/netns/b'],
    ] as const) {
      netns[Symbol.dispose]();
      kernel.deleteNetns(path);
    }
  });

  async function echo(text: string): Promise<string> {
    client.send(text, 7000, there);
    const [answer] = await once(client, 'message', { signal: AbortSignal.timeout(30_000) });
    return String(answer);
  }

  test('announce: the neighbour takes the new MAC address at once', async () => {
    await echo('learn');
    const known = () => b.neighbours.list({ link: 'eth0' }).find(({ address }) => address === here)?.mac;
    assert.equal(known(), a.links.get('eth0')?.mac);
    const mac = parseMac('02:00:00:00:00:99');
    a.links.set('eth0', { mac });
    // Otherwise the kernel keeps what it has just learnt for a second, whatever is announced.
    b.sysctl.set('net.ipv4.neigh.eth0.locktime', '0');
    assert.notEqual(known(), mac);
    a.neighbours.announce({ link: 'eth0', address: here });
    await eventually('it is known', () => known() === mac);
  });

  test('limit, redirectIngress: packets still go both ways, through the buckets', async () => {
    b.links.add({ kind: 'ifb', name: 'ifb0', up: true });
    b.shaping.limit('ifb0', { rate: 8_000_000, burst: 800_000 });
    b.shaping.redirectIngress('eth0', 'ifb0');
    b.shaping.limit('eth0', { rate: 8_000_000, burst: 800_000 });
    assert.equal(await echo('shaped'), 'shaped');
    // A bucket on the redirection's way that is switched off stops what arrives.
    b.links.set('ifb0', { up: false });
    await assert.rejects(
      async () => {
        client.send('lost', 7000, there);
        await once(client, 'message', { signal: AbortSignal.timeout(200) });
      },
      { name: 'AbortError' },
    );
    b.shaping.unredirectIngress('eth0');
    assert.equal(await echo('free'), 'free');
  });

  test('conntrack: list finds a flow by each field, delete forgets it', async () => {
    const nft =
      'table ip t { chain c { type filter hook input priority 0; policy accept; ct state new accept; }; }\n';
    await b.nft.run(nft);
    await echo('flow');
    const filters = [
      {},
      { family: 'IPv4' },
      { protocol: 17 },
      { family: 'IPv4', protocol: 17, destinationPort: 7000 },
      { destination: there },
      { destination: there, protocol: 17, destinationPort: 7000 },
    ] as const;
    for (const filter of filters)
      assert.deepEqual(
        (await b.conntrack.list(filter)).map(({ original }) => original),
        [{ source: here, destination: there, protocol: 17, sourcePort: 7001, destinationPort: 7000 }],
      );
    for (const filter of [
      { family: 'IPv6' },
      { protocol: 6 },
      { destination: here },
      { destinationPort: 1 },
    ] as const)
      assert.deepEqual(await b.conntrack.list(filter), []);
    for (const entry of await b.conntrack.list()) {
      b.conntrack.delete(entry);
      b.conntrack.delete(entry);
    }
    assert.deepEqual(await b.conntrack.list(), []);
  });

  test('deleteNetns: the namespace ends although another mount namespace has seen its pin', async () => {
    const child = spawn('unshare', ['--mount', 'cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write('ready\n');
    await once(child.stdout, 'data');
    client.close();
    server.close();
    b[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/b');
    // The veth goes with the namespace that holds its other end; the kernel does that in the background.
    await eventually('it is gone', () => a.links.get('eth0') === undefined);
    child.stdin.end();
    await once(child, 'close');
    b = kernel.createNetns('/run/netns/b');
    client = createSocket('udp4');
    server = createSocket('udp4');
  });
});
