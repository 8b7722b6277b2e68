import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type IpAddress, type IpFamily, parseIp, parsePrefix } from '#ip';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';
import { bindIn } from './bind-in.ts';
import { connectIn } from './connect-in.ts';
import { filterSources, type SourceTest } from './source-filter.ts';

const PORT = 7000;
/** Where a socket without a filter is: what was sent before and has not come when an answer from there is, does not come. */
const OPEN_PORT = 7001;
/** By so much packets may overtake each other. */
const LATE_MS = 20;
const PATIENCE_MS = 30_000;

const FAMILIES: Readonly<Record<IpFamily, { readonly server: string; readonly client: string }>> = {
  IPv4: { server: '10.0.0.1', client: '10.0.0.130' },
  IPv6: { server: 'fd00::1', client: 'fd00::1:2:3:130' },
};

describe('filterSources', () => {
  const kernel = sandboxedKernel();
  let server: NetworkNamespace;
  let client: NetworkNamespace;
  before(() => {
    server = kernel.createNetns('/run/netns/filter-server');
    client = kernel.createNetns('/run/netns/filter-client');
    for (const netns of [server, client]) netns.links.set('lo', { up: true });
    const peer = { name: 'eth0', up: true, netns: client };
    server.links.add({ kind: 'veth', name: 'eth0', up: true, peer });
    for (const own of Object.values(FAMILIES))
      for (const [netns, text] of [
        [server, own.server],
        [client, own.client],
      ] as const) {
        const prefixLength = text.includes(':') ? 64 : 24;
        netns.addresses.add({ link: 'eth0', address: parseIp(text), prefixLength, noDad: true });
      }
  });
  after(() => {
    for (const [netns, name] of [
      [server, 'server'],
      [client, 'client'],
    ] as const) {
      netns[Symbol.dispose]();
      kernel.deleteNetns(`/run/netns/filter-${name}`);
    }
  });

  for (const family of ['IPv4', 'IPv6'] as const) {
    const address = parseIp(FAMILIES[family].server);
    const from = (...prefixes: string[]): SourceTest => ({
      prefixes: prefixes.map((text) => parsePrefix(text)),
      fromHost: false,
    });
    const own = `${FAMILIES[family].client}/${family === 'IPv4' ? 32 : 128}`;
    const wide = family === 'IPv4' ? '10.0.0.128/25' : 'fd00:0:0:0:1::/80';
    const other = family === 'IPv4' ? '10.0.1.0/25' : 'fd00:0:0:0:2::/80';
    const all = family === 'IPv4' ? '0.0.0.0/0' : '::/0';
    const cases: readonly [name: string, tests: readonly SourceTest[], client: boolean, host: boolean][] = [
      ['no test', [], true, true],
      ['a test that nothing passes', [from()], false, false],
      ['the client itself', [from(own)], true, false],
      ['a prefix that it is in, after others', [from(other, other, wide)], true, false],
      ['a prefix that it is not in', [from(other)], false, false],
      ['everything', [from(all)], true, true],
      ['the host and nobody else', [{ ...from(), fromHost: true }], false, true],
      ['two tests, both passed', [from(other, wide), from(own)], true, false],
      ['two tests, one passed', [from(wide), from(other)], false, false],
      ['two tests, the host passes one', [{ ...from(), fromHost: true }, from(own)], false, false],
    ];

    test(`TCP over ${family}: who does not pass hears nothing`, async (t) => {
      const listen = async (port: number) => {
        const listener = createServer((socket) => socket.end());
        t.after(() => listener.close());
        const fd = bindIn(server, { protocol: 'tcp', address, port });
        listener.listen({ fd });
        await once(listener, 'listening');
        return fd;
      };
      const fd = await listen(PORT);
      await listen(OPEN_PORT);
      const connect = async (netns: NetworkNamespace, port: number, signal: AbortSignal) =>
        (await connectIn(netns, address, port, { signal })).destroy();
      const connects = async (netns: NetworkNamespace, expected: boolean) => {
        const { signal, giveUp } = patience();
        const connected = connect(netns, PORT, signal);
        if (!expected) void connect(netns, OPEN_PORT, signal).then(giveUp);
        return await connected.then(
          () => true,
          () => false,
        );
      };
      for (const [name, tests, ...expected] of cases) {
        filterSources(fd, family, tests);
        const seen = [await connects(client, expected[0]), await connects(server, expected[1])];
        assert.deepEqual(seen, expected, name);
      }
    });

    test(`UDP over ${family}: the same`, async (t) => {
      const type = family === 'IPv4' ? 'udp4' : 'udp6';
      const open = (netns: NetworkNamespace, at: IpAddress, port: number) => {
        const socket = createSocket(type);
        t.after(() => socket.close());
        const fd = bindIn(netns, { protocol: 'udp', address: at, port });
        socket.bind({ fd });
        return { socket, fd };
      };
      const { socket: receiver, fd } = open(server, address, PORT);
      const { socket: openReceiver } = open(server, address, OPEN_PORT);
      const any = parseIp(family === 'IPv4' ? '0.0.0.0' : '::');
      const senders = { client: open(client, any, 0).socket, server: open(server, any, 0).socket };
      const arrives = async (from: keyof typeof senders, expected: boolean) => {
        const { signal, giveUp } = patience();
        const message = once(receiver, 'message', { signal });
        senders[from].send('?', PORT, address);
        if (!expected) {
          void once(openReceiver, 'message', { signal }).then(giveUp);
          senders[from].send('!', OPEN_PORT, address);
        }
        return await message.then(
          () => true,
          () => false,
        );
      };
      for (const [name, tests, ...expected] of cases) {
        filterSources(fd, family, tests);
        const seen = [await arrives('client', expected[0]), await arrives('server', expected[1])];
        assert.deepEqual(seen, expected, name);
      }
    });
  }

  test('a socket that is none', () => {
    assert.throws(() => filterSources(-1, 'IPv4', []), { errno: 'EBADF' });
  });
});

/** For something that may come, and may not. */
function patience(): { readonly signal: AbortSignal; readonly giveUp: () => void } {
  const controller = new AbortController();
  return {
    signal: AbortSignal.any([controller.signal, AbortSignal.timeout(PATIENCE_MS)]),
    giveUp: () => void setTimeout(() => controller.abort(), LATE_MS),
  };
}
