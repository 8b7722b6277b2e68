import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { type IpFamily, parseIp, parsePrefix } from '#ip';
import type { NetworkNamespace } from '../ports/namespace.ts';
import { bindIn } from './bind-in.ts';
import { connectIn } from './connect-in.ts';
import { linuxKernel } from './kernel.ts';
import { filterSources, type SourceTest } from './source-filter.ts';

const NOTHING_MS = 150;

const FAMILIES: Readonly<Record<IpFamily, { readonly server: string; readonly client: string }>> = {
  IPv4: { server: '10.0.0.1', client: '10.0.0.130' },
  IPv6: { server: 'fd00::1', client: 'fd00::1:2:3:130' },
};

describe('filterSources', () => {
  const kernel = linuxKernel();
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
      const listener = createServer((socket) => socket.end());
      t.after(() => listener.close());
      const fd = bindIn(server, { protocol: 'tcp', address, port: 7000 });
      listener.listen({ fd });
      await once(listener, 'listening');
      const connects = async (netns: NetworkNamespace) => {
        try {
          const signal = AbortSignal.timeout(NOTHING_MS);
          (await connectIn(netns, address, 7000, { signal })).destroy();
          return true;
        } catch (error) {
          assert.equal(error instanceof Error && error.name, 'TimeoutError');
          return false;
        }
      };
      while (!(await connects(client))); // until the links have found each other
      for (const [name, tests, ...expected] of cases) {
        filterSources(fd, family, tests);
        assert.deepEqual([await connects(client), await connects(server)], expected, name);
      }
    });

    test(`UDP over ${family}: the same`, async (t) => {
      const type = family === 'IPv4' ? 'udp4' : 'udp6';
      const receiver = createSocket(type);
      t.after(() => receiver.close());
      const fd = bindIn(server, { protocol: 'udp', address, port: 7000 });
      receiver.bind({ fd });
      const arrives = async (netns: NetworkNamespace) => {
        const sender = createSocket(type);
        const any = parseIp(family === 'IPv4' ? '0.0.0.0' : '::');
        sender.bind({ fd: bindIn(netns, { protocol: 'udp', address: any, port: 0 }) });
        const message = once(receiver, 'message', { signal: AbortSignal.timeout(NOTHING_MS) });
        sender.send('?', 7000, address);
        const arrived = await message.then(
          () => true,
          () => false,
        );
        sender.close();
        return arrived;
      };
      for (const [name, tests, ...expected] of cases) {
        filterSources(fd, family, tests);
        assert.deepEqual([await arrives(client), await arrives(server)], expected, name);
      }
    });
  }

  test('a socket that is none', () => {
    assert.throws(() => filterSources(-1, 'IPv4', []), { errno: 'EBADF' });
  });
});
