import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { parseIp } from '#ip';
import { bindIn } from './linux/bind-in.ts';
import { LoopbackRouting } from './loopback-routing.ts';
import type { NetworkNamespace } from './ports/namespace.ts';
import { sandboxedKernel } from './testing/sandboxed-kernel.ts';

const SYSCTL = 'net.ipv4.conf.all.route_localnet';
const LOOPBACK = parseIp('127.0.0.1');
const NODE = parseIp('192.0.2.1');
const PORT = 7000;
const PATIENCE_MS = 30_000;
/** What has not come so long after others that were sent later does not come. */
const LATE_MS = 50;

describe('LoopbackRouting', () => {
  const kernel = sandboxedKernel();
  let node: NetworkNamespace;
  let neighbour: NetworkNamespace;
  const server = createSocket('udp4');
  const open = createSocket('udp4');
  const sender = createSocket('udp4');
  const ip = (name: string, ...args: readonly string[]) => execFileSync('ip', ['-n', name, ...args]);

  before(() => {
    node = kernel.createNetns('/run/netns/loopback-node');
    neighbour = kernel.createNetns('/run/netns/loopback-neighbour');
    node.links.add({
      kind: 'veth',
      name: 'eth0',
      up: true,
      peer: { name: 'eth0', up: true, netns: neighbour },
    });
    node.links.set('lo', { up: true });
    node.addresses.add({ link: 'eth0', address: NODE, prefixLength: 24 });
    neighbour.addresses.add({ link: 'eth0', address: parseIp('192.0.2.2'), prefixLength: 24 });
    // A neighbour that means ill: it sends what is meant for 127.0.0.1 to the node.
    neighbour.sysctl.set(SYSCTL, '1');
    neighbour.links.set('lo', { up: true });
    ip('loopback-neighbour', 'route', 'del', 'local', '127.0.0.0/8', 'dev', 'lo', 'table', 'local');
    ip('loopback-neighbour', 'route', 'del', 'local', '127.0.0.1', 'dev', 'lo', 'table', 'local');
    ip('loopback-neighbour', 'route', 'add', '127.0.0.0/8', 'via', '192.0.2.1', 'src', '192.0.2.2');
    server.bind({ fd: bindIn(node, { protocol: 'udp', address: LOOPBACK, port: PORT }) });
    open.bind({ fd: bindIn(node, { protocol: 'udp', address: NODE, port: PORT }) });
    sender.bind({ fd: bindIn(neighbour, { protocol: 'udp', address: parseIp('0.0.0.0'), port: 0 }) });
  });
  after(() => {
    server.close();
    open.close();
    sender.close();
    for (const netns of [node, neighbour]) netns[Symbol.dispose]();
    for (const name of ['node', 'neighbour']) kernel.deleteNetns(`/run/netns/loopback-${name}`);
  });

  /** A datagram for 127.0.0.1 does not come through: one that is sent later to an address for everyone is there before. */
  const keptOut = async () => {
    const through = once(server, 'message').then(() => true);
    sender.send('?', PORT, LOOPBACK);
    const later = once(open, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
    sender.send('!', PORT, NODE);
    await later;
    const late = new Promise((resolve) => setTimeout(resolve, LATE_MS, false));
    assert.equal(await Promise.race([through, late]), false);
  };
  const intrudes = async () => {
    const through = once(server, 'message', { signal: AbortSignal.timeout(PATIENCE_MS) });
    sender.send('?', PORT, LOOPBACK);
    await through;
  };
  const tables = async () => (await node.nft.listTables()).map(({ name }) => name);

  test('a neighbour reaches loopback when the sysctl alone is set, and not with the guard', async () => {
    node.sysctl.set(SYSCTL, '1');
    await intrudes();
    node.sysctl.set(SYSCTL, '0');
    const routing = new LoopbackRouting(node);
    await routing.ensure();
    assert.equal(node.sysctl.get(SYSCTL), '1');
    await keptOut();
    await routing.remove();
  });

  test('remove: leaves nothing, and the sysctl as it was; nothing there is no error', async () => {
    for (const before of ['0', '1']) {
      node.sysctl.set(SYSCTL, before);
      await new LoopbackRouting(node).ensure();
      await new LoopbackRouting(node).ensure();
      assert.deepEqual(await tables(), ['podway-loopback']);
      await new LoopbackRouting(node).remove();
      await new LoopbackRouting(node).remove();
      assert.equal(node.sysctl.get(SYSCTL), before);
      assert.deepEqual(await tables(), []);
    }
  });

  test('ensure: writes nothing while it is as it should be, and puts right what others change', async () => {
    node.sysctl.set(SYSCTL, '0');
    const routing = new LoopbackRouting(node);
    await routing.ensure();
    await node.nft.run('add table ip other\n');
    const generation = node.nft.generation();
    await routing.ensure();
    await routing.ensure();
    assert.equal(node.nft.generation(), generation);
    for (const harm of ['flush ruleset', 'flush chain ip podway-loopback from_links']) {
      await node.nft.run(`${harm}\n`);
      await intrudes();
      await routing.ensure();
      await keptOut();
    }
    node.sysctl.set(SYSCTL, '0');
    await routing.ensure();
    assert.equal(node.sysctl.get(SYSCTL), '1');
    await routing.remove();
  });
});
