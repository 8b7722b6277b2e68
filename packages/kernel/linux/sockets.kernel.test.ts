import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { parseIp } from '#ip';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';
import { bindIn } from './bind-in.ts';
import { connectIn } from './connect-in.ts';

describe('sockets in another namespace', () => {
  const kernel = sandboxedKernel();
  const loopback = parseIp('127.0.0.1');
  let netns: NetworkNamespace;

  before(() => {
    netns = kernel.createNetns('/run/netns/sockets');
    netns.links.set('lo', { up: true });
  });
  after(() => {
    netns[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/sockets');
  });

  for (const host of ['127.0.0.1', '::1']) {
    test(`bindIn, connectIn: a TCP conversation over ${host} of the namespace`, async () => {
      const server = createServer((socket) => socket.end('hello'));
      server.listen({ fd: bindIn(netns, { protocol: 'tcp', address: parseIp(host), port: 0 }) });
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const socket = await connectIn(netns, parseIp(host), port);
      assert.equal(Buffer.concat(await socket.toArray()).toString(), 'hello');
      // Nobody listens on that port in the namespace this test runs in.
      using here = kernel.currentNetns();
      await assert.rejects(connectIn(here, parseIp(host), port), /ECONNREFUSED|ENETUNREACH|EADDRNOTAVAIL/);
      server.close();
    });
  }

  test('bindIn: a UDP socket answers inside the namespace', async () => {
    const server = createSocket('udp4');
    server.on('message', (message, from) => server.send(`echo ${message}`, from.port, from.address));
    server.bind({ fd: bindIn(netns, { protocol: 'udp', address: loopback, port: 0 }) });
    const client = createSocket('udp4');
    client.bind({ fd: bindIn(netns, { protocol: 'udp', address: loopback, port: 0 }) });
    client.send('x', server.address().port, '127.0.0.1');
    const [answer] = await once(client, 'message');
    assert.equal(String(answer), 'echo x');
    server.close();
    client.close();
  });

  test('bindIn: a port that is taken is EADDRINUSE, an address that is not there EADDRNOTAVAIL unless freeBind', () => {
    const fd = bindIn(netns, { protocol: 'tcp', address: loopback, port: 7001 });
    const server = createServer().listen({ fd });
    assert.throws(() => bindIn(netns, { protocol: 'tcp', address: loopback, port: 7001 }), {
      errno: 'EADDRINUSE',
    });
    const address = parseIp('192.0.2.1');
    assert.throws(() => bindIn(netns, { protocol: 'udp', address, port: 53 }), { errno: 'EADDRNOTAVAIL' });
    const free = createSocket('udp4');
    free.bind({ fd: bindIn(netns, { protocol: 'udp', address, port: 53, freeBind: true }) });
    server.close();
    free.close();
  });

  test('connectIn: refused, unreachable and aborted connections say so', async () => {
    await assert.rejects(connectIn(netns, loopback, 9), { errno: 'ECONNREFUSED' });
    await assert.rejects(connectIn(netns, parseIp('192.0.2.1'), 80), { errno: 'ENETUNREACH' });
    // An address of the namespace's subnet that nobody has: the connection hangs on ARP.
    netns.links.add({ kind: 'bridge', name: 'br0', up: true });
    netns.addresses.add({ link: 'br0', address: parseIp('10.9.9.1'), prefixLength: 24 });
    const signal = AbortSignal.timeout(50);
    await assert.rejects(connectIn(netns, parseIp('10.9.9.9'), 80, { signal }), { name: 'TimeoutError' });
  });

  test('connectIn: a port that can be none is refused with its value', async () => {
    await assert.rejects(connectIn(netns, loopback, 70000), /port: invalid value 70000/);
  });
});
