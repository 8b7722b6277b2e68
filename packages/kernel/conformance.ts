import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { parseIp, parseMac, parsePrefix } from '#ip';
import { isKernelError } from './errors.ts';
import type { Kernel, NetworkEvent, NetworkNamespace, NftElementChange, RouteSpec } from './ports.ts';

/** What every adapter of the kernel ports does, and refuses. Runs on Linux and on the fake. */
export function kernelConformance(name: string, kernel: Kernel): void {
  describe(`${name}: conformance`, () => {
    let count = 0;
    let netns: NetworkNamespace;
    let other: NetworkNamespace;
    const path = (n: number) => `/run/netns/conformance-${n}`;
    const ip = parseIp;
    const to = parsePrefix;
    const refuses = (errno: string, call: () => unknown) =>
      assert.throws(call, (error) => isKernelError(error, errno) || assert.fail(`not ${errno}: ${error}`));
    const names = (netns: NetworkNamespace) => netns.links.list().map(({ name }) => name);

    beforeEach(() => {
      netns = kernel.createNetns(path(++count));
      other = kernel.createNetns(path(++count));
    });
    afterEach(() => {
      for (const [handle, n] of [
        [other, count],
        [netns, count - 1],
      ] as const) {
        handle[Symbol.dispose]();
        kernel.deleteNetns(path(n));
      }
    });

    /** A pair `a` here, `b` in the other namespace, up, 10.0.0.1/24 and fd00::1/64, and .2 there. */
    function pair(): void {
      netns.links.add({ kind: 'veth', name: 'a', up: true, peer: { name: 'b', up: true, netns: other } });
      for (const [where, link, last] of [
        [netns, 'a', 1],
        [other, 'b', 2],
      ] as const) {
        where.addresses.add({ link, address: ip(`10.0.0.${last}`), prefixLength: 24 });
        where.addresses.add({ link, address: ip(`fd00::${last}`), prefixLength: 64, noDad: true });
      }
    }

    describe('namespaces', () => {
      test('createNetns: a path is taken once; openNetns finds the same namespace', () => {
        refuses('EEXIST', () => kernel.createNetns(path(count)));
        using again = kernel.openNetns(path(count));
        assert.equal(again.inode, other.inode);
        assert.notEqual(other.inode, netns.inode);
      });
      test('openNetns: a path that is not there is ENOENT', () => {
        refuses('ENOENT', () => kernel.openNetns('/run/netns/none'));
      });
      test('deleteNetns: nothing there is no error, and the path is free again', () => {
        kernel.deleteNetns(path(9999));
        kernel.createNetns(path(9999))[Symbol.dispose]();
        kernel.deleteNetns(path(9999));
        kernel.deleteNetns(path(9999));
        refuses('ENOENT', () => kernel.openNetns(path(9999)));
      });
      test('run: returns what the section returns and passes its error on', () => {
        assert.equal(
          netns.run(() => 7),
          7,
        );
        assert.throws(() => netns.run(() => assert.fail('x')), /x/);
      });
      test('a new namespace has a loopback link, down, and nothing else', () => {
        assert.deepEqual(
          netns.links.list().map(({ name, kind, up, index }) => ({ name, kind, up, index })),
          [{ name: 'lo', kind: 'loopback', up: false, index: 1 }],
        );
        assert.deepEqual(netns.routes.list({ table: 254 }), []);
      });
    });

    describe('links', () => {
      test('add: a veth pair over two namespaces, all options', () => {
        const mac = parseMac('02:00:00:00:00:0a');
        netns.links.add({ kind: 'bridge', name: 'br0', up: true });
        const link = netns.links.add({
          ...{ kind: 'veth', name: 'a', master: 'br0', mtu: 1400, up: true, alias: 'default/pod' },
          peer: { name: 'eth0', netns: other, mac, mtu: 1400, up: true, alias: 'peer' },
        });
        const peer = other.links.get('eth0');
        assert.equal(link.master, netns.links.get('br0')?.index);
        assert.equal(link.peerIndex, peer?.index);
        assert.equal(peer?.peerIndex, link.index);
        assert.deepEqual(
          [link.kind, link.mtu, link.up, link.alias, peer?.mac, peer?.mtu, peer?.up, peer?.alias],
          ['veth', 1400, true, 'default/pod', mac, 1400, true, 'peer'],
        );
        assert.deepEqual(link, netns.links.get('a'));
      });
      test('add: a name is taken once, and has 1 to 15 bytes without slashes', () => {
        netns.links.add({ kind: 'bridge', name: 'br0' });
        refuses('EEXIST', () => netns.links.add({ kind: 'bridge', name: 'br0' }));
        refuses('ERANGE', () => netns.links.add({ kind: 'bridge', name: 'sixteen-byte-nam' }));
        refuses('EINVAL', () => netns.links.add({ kind: 'bridge', name: 'a/b' }));
        refuses('EINVAL', () => netns.links.add({ kind: 'bridge', name: '' }));
      });
      test('add: a veth whose peer name is taken leaves nothing', () => {
        other.links.add({ kind: 'bridge', name: 'eth0' });
        refuses('EEXIST', () =>
          netns.links.add({ kind: 'veth', name: 'a', peer: { name: 'eth0', netns: other } }),
        );
        assert.deepEqual(names(netns), ['lo']);
      });
      test('add: a master that is not there is ENODEV, one that is no bridge EOPNOTSUPP, and nothing is left', () => {
        netns.links.add({ kind: 'veth', name: 'x', peer: { name: 'y' } });
        const spec = { kind: 'veth', name: 'a', peer: { name: 'b' } } as const;
        refuses('ENODEV', () => netns.links.add({ ...spec, master: 'none' }));
        refuses('EOPNOTSUPP', () => netns.links.add({ ...spec, master: 'x' }));
        assert.deepEqual(names(netns).sort(), ['lo', 'x', 'y']);
      });
      test('add: a vxlan link keeps its options', () => {
        const vxlan = { vni: 42, port: 8472, local: ip('10.0.0.1'), link: undefined, learning: false };
        assert.deepEqual(netns.links.add({ kind: 'vxlan', name: 'vx', vxlan }).vxlan, vxlan);
        pair();
        const over = { ...vxlan, vni: 43, link: 'a' };
        assert.deepEqual(netns.links.add({ kind: 'vxlan', name: 'vy', vxlan: over }).vxlan, over);
        refuses('ENODEV', () =>
          netns.links.add({ kind: 'vxlan', name: 'vz', vxlan: { ...over, vni: 44, link: 'none' } }),
        );
      });
      test('set: mtu, mac, alias, name, up and down', () => {
        netns.links.add({ kind: 'bridge', name: 'br0' });
        const mac = parseMac('02:00:00:00:00:0b');
        netns.links.set('br0', { mtu: 1300, mac, alias: 'x', up: true });
        const { mtu, mac: got, alias, up } = netns.links.get('br0') ?? {};
        assert.deepEqual([mtu, got, alias, up], [1300, mac, 'x', true]);
        netns.links.set('br0', { up: false });
        netns.links.set('br0', { name: 'br1' });
        assert.equal(netns.links.get('br0'), undefined);
        assert.equal(netns.links.get('br1')?.up, false);
      });
      test('set: refuses a link that is not there, a taken name, an mtu out of range', () => {
        netns.links.add({ kind: 'veth', name: 'a', peer: { name: 'b' } });
        refuses('ENODEV', () => netns.links.set('none', { up: true }));
        refuses('EEXIST', () => netns.links.set('a', { name: 'b' }));
        refuses('EINVAL', () => netns.links.set('a', { mtu: 1 }));
      });
      test('set: master and hairpin, null takes the port out', () => {
        netns.links.add({ kind: 'bridge', name: 'br0' });
        netns.links.add({ kind: 'veth', name: 'a', peer: { name: 'b' } });
        refuses('EOPNOTSUPP', () => netns.links.set('a', { hairpin: true }));
        netns.links.set('a', { master: 'br0', hairpin: true });
        assert.deepEqual(
          [netns.links.get('a')?.hairpin, netns.links.get('a')?.master],
          [true, netns.links.get('br0')?.index],
        );
        netns.links.set('a', { hairpin: false });
        assert.equal(netns.links.get('a')?.hairpin, false);
        netns.links.set('a', { master: null });
        assert.equal(netns.links.get('a')?.master, undefined);
        refuses('ENODEV', () => netns.links.set('a', { master: 'none' }));
      });
      test('set: a link moves to another namespace, down, unless its name is taken there', () => {
        netns.links.add({ kind: 'veth', name: 'a', up: true, peer: { name: 'b' } });
        netns.links.set('a', { netns: other });
        assert.deepEqual(names(netns), ['lo', 'b']);
        assert.equal(other.links.get('a')?.up, false);
        netns.links.set('b', { name: 'a' });
        refuses('EEXIST', () => netns.links.set('a', { netns: other }));
      });
      test('delete: takes the veth peer and frees the ports of a bridge; nothing there is no error; lo stays', () => {
        netns.links.add({ kind: 'bridge', name: 'br0' });
        netns.links.add({ kind: 'veth', name: 'a', master: 'br0', peer: { name: 'b', netns: other } });
        netns.links.delete('br0');
        assert.equal(netns.links.get('a')?.master, undefined);
        other.links.delete('b');
        assert.deepEqual([names(netns), names(other)], [['lo'], ['lo']]);
        netns.links.delete('a');
        refuses('EOPNOTSUPP', () => netns.links.delete('lo'));
      });
      test('deleteAsync: several at once, nothing there is no error, lo stays', async () => {
        pair();
        netns.links.add({ kind: 'bridge', name: 'br0' });
        await Promise.all(['a', 'br0', 'none', 'a'].map((name) => netns.links.deleteAsync(name)));
        assert.deepEqual([names(netns), names(other)], [['lo'], ['lo']]);
        await assert.rejects(netns.links.deleteAsync('lo'), { errno: 'EOPNOTSUPP' });
      });
      test('get: what can be no name is no link', () => {
        for (const name of ['', 'a/b', 'x'.repeat(300)]) assert.equal(netns.links.get(name), undefined);
      });
    });

    describe('addresses', () => {
      test('add, list, delete: both families, filters', () => {
        pair();
        assert.deepEqual(netns.addresses.list({ link: 'a', family: 'IPv4' }), [
          { link: 'a', address: '10.0.0.1', prefixLength: 24, scope: 'global' },
        ]);
        const global = netns.addresses.list({ family: 'IPv6' }).filter(({ scope }) => scope === 'global');
        assert.deepEqual(global, [
          { link: 'a', address: 'fd00::1', prefixLength: 64, scope: 'global', noDad: true },
        ]);
        netns.addresses.delete({ link: 'a', address: ip('10.0.0.1'), prefixLength: 24 });
        netns.addresses.delete({ link: 'a', address: ip('10.0.0.1'), prefixLength: 24 });
        netns.addresses.delete({ link: 'none', address: ip('10.0.0.1'), prefixLength: 24 });
        assert.deepEqual(netns.addresses.list({ family: 'IPv4' }), []);
        assert.deepEqual(netns.addresses.list({ link: 'none' }), []);
      });
      test('add: refuses an equal one, a missing link, a length that does not fit', () => {
        pair();
        const address = { link: 'a', address: ip('10.0.0.1'), prefixLength: 24 };
        refuses('EEXIST', () => netns.addresses.add(address));
        refuses('EEXIST', () => netns.addresses.add({ link: 'a', address: ip('fd00::1'), prefixLength: 64 }));
        refuses('ENODEV', () => netns.addresses.add({ ...address, link: 'none' }));
        refuses('EINVAL', () => netns.addresses.add({ ...address, prefixLength: 33 }));
        netns.addresses.add({ ...address, prefixLength: 32 });
        assert.equal(netns.addresses.list({ family: 'IPv4' }).length, 2);
      });
      test('add: the kernel adds the routes of the subnet while the link is up', () => {
        pair();
        const subnet = () =>
          netns.routes.list({ table: 254 }).filter(({ destination }) => destination === '10.0.0.0/24');
        const [route] = subnet();
        assert.deepEqual(
          [route?.link, route?.source, route?.scope, route?.protocol],
          ['a', '10.0.0.1', 'link', 2],
        );
        assert.equal(
          netns.routes
            .list({ table: 255 })
            .some(({ destination, type }) => destination === '10.0.0.1/32' && type === 'local'),
          true,
        );
        netns.links.set('a', { up: false });
        assert.deepEqual(subnet(), []);
      });
    });

    describe('routes', () => {
      const own = (family?: 'IPv4' | 'IPv6') =>
        netns.routes.list({ protocol: 93, ...(family === undefined ? {} : { family }) });
      const full: RouteSpec = {
        ...{ destination: to('10.244.1.0/24'), gateway: ip('10.0.0.2'), link: 'a', mtu: 1400, metric: 5 },
        ...{ source: ip('10.0.0.1'), table: 100, protocol: 94 },
      };

      test('add: what was left out is what ip route would choose', () => {
        pair();
        netns.routes.add({ destination: to('0.0.0.0/0'), gateway: ip('10.0.0.2') });
        netns.routes.add({ destination: to('::/0'), gateway: ip('fd00::2') });
        const common = {
          type: 'unicast',
          link: 'a',
          source: undefined,
          scope: 'universe',
          table: 254,
          mtu: undefined,
          protocol: 93,
          onlink: false,
        };
        assert.deepEqual(own('IPv4'), [
          { ...common, destination: '0.0.0.0/0', gateway: '10.0.0.2', metric: 0 },
        ]);
        assert.deepEqual(own('IPv6'), [{ ...common, destination: '::/0', gateway: 'fd00::2', metric: 1024 }]);
      });
      test('add: every field comes back, tables and protocols are kept apart', () => {
        pair();
        netns.routes.add(full);
        assert.deepEqual(netns.routes.list({ table: 100 }), [
          { ...full, type: 'unicast', scope: 'universe', onlink: false },
        ]);
        assert.deepEqual(netns.routes.list({ protocol: 94 }), netns.routes.list({ table: 100 }));
        assert.deepEqual(own(), []);
        assert.deepEqual(netns.routes.list({ table: 101 }), []);
      });
      test('add: an IPv6 gateway for an IPv4 destination', () => {
        pair();
        netns.routes.add({ destination: to('10.244.1.0/24'), gateway: ip('fd00::2'), link: 'a' });
        assert.deepEqual(
          own().map(({ gateway, link }) => [gateway, link]),
          [['fd00::2', 'a']],
        );
        assert.equal(netns.routes.lookup(ip('10.244.1.1')).gateway, 'fd00::2');
      });
      test('add: on link', () => {
        pair();
        netns.routes.add({
          destination: to('10.244.1.0/24'),
          gateway: ip('192.0.2.1'),
          link: 'a',
          onlink: true,
        });
        assert.deepEqual(
          own().map(({ gateway, onlink }) => [gateway, onlink]),
          [['192.0.2.1', true]],
        );
      });
      for (const type of ['blackhole', 'unreachable', 'prohibit'] as const)
        test(`add: ${type}, and what a lookup says`, () => {
          pair();
          netns.routes.add({ destination: to('10.9.0.0/16'), type });
          assert.deepEqual(
            own().map((route) => [route.type, route.gateway, route.link]),
            [[type, undefined, undefined]],
          );
          const errno = { blackhole: 'EINVAL', unreachable: 'EHOSTUNREACH', prohibit: 'EACCES' }[type];
          refuses(errno, () => netns.routes.lookup(ip('10.9.0.1')));
        });
      test('add: refuses what Linux refuses', () => {
        pair();
        netns.links.add({ kind: 'bridge', name: 'down' });
        const destination = to('10.244.1.0/24');
        const v6 = to('fd01::/64');
        refuses('ENETUNREACH', () => netns.routes.add({ destination, gateway: ip('192.0.2.1') }));
        refuses('ENETUNREACH', () => netns.routes.add({ destination, gateway: ip('192.0.2.1'), link: 'a' }));
        refuses('EHOSTUNREACH', () => netns.routes.add({ destination: v6, gateway: ip('fd99::1') }));
        refuses('EINVAL', () => netns.routes.add({ destination: v6, gateway: ip('fd00::1') }));
        refuses('EINVAL', () =>
          netns.routes.add({ destination, gateway: ip('10.0.0.2'), source: ip('10.0.0.7') }),
        );
        refuses('ENODEV', () => netns.routes.add({ destination }));
        refuses('ENODEV', () => netns.routes.add({ destination: v6 }));
        refuses('ENODEV', () => netns.routes.add({ destination, link: 'none' }));
        refuses('ENETDOWN', () => netns.routes.add({ destination, link: 'down' }));
        refuses('EINVAL', () => netns.routes.add({ destination: v6, gateway: ip('10.0.0.2'), link: 'a' }));
        assert.deepEqual(own(), []);
      });
      for (const [destination, gateway] of [
        ['10.244.1.0/24', '10.0.0.2'],
        ['fd01::/64', 'fd00::2'],
      ] as const)
        test(`add, replace, delete: ${destination} is there once a metric and table`, () => {
          pair();
          const route = { destination: to(destination), gateway: ip(gateway) };
          netns.routes.add(route);
          refuses('EEXIST', () => netns.routes.add({ ...route, mtu: 1300 }));
          netns.routes.add({ ...route, metric: 77 });
          netns.routes.add({ ...route, table: 100 });
          netns.routes.replace({ ...route, mtu: 1300 });
          assert.deepEqual(
            own()
              .filter(({ table, metric }) => table === 254 && metric !== 77)
              .map(({ mtu }) => mtu),
            [1300],
          );
          assert.equal(own().length, 3);
          netns.routes.delete({ ...route, metric: 77 });
          netns.routes.delete({ ...route, metric: 77 });
          assert.equal(own().length, 2);
          netns.routes.delete({ destination: route.destination, table: 100 });
          netns.routes.delete(route);
          netns.routes.delete({ ...route, link: 'none' });
          assert.deepEqual(own(), []);
        });
      test('replace: adds when there is none', () => {
        pair();
        netns.routes.replace(full);
        assert.equal(netns.routes.list({ table: 100 }).length, 1);
      });
      test('a link that goes down or away takes its routes', () => {
        pair();
        netns.routes.add({ destination: to('10.244.1.0/24'), gateway: ip('10.0.0.2') });
        netns.links.set('a', { up: false });
        assert.deepEqual(own(), []);
      });
      test('lookup: longest prefix, then metric; local addresses; nothing is ENETUNREACH', () => {
        pair();
        const gateway = ip('10.0.0.2');
        netns.routes.add({ destination: to('10.9.0.0/16'), gateway: ip('10.0.0.3'), metric: 10 });
        netns.routes.add({ destination: to('10.9.0.0/16'), gateway: ip('10.0.0.4'), metric: 5 });
        netns.routes.add({ destination: to('10.9.9.0/24'), gateway });
        const found = netns.routes.lookup(ip('10.9.9.9'));
        assert.deepEqual(
          [found.destination, found.gateway, found.link, found.source],
          ['10.9.9.9/32', '10.0.0.2', 'a', '10.0.0.1'],
        );
        assert.equal(netns.routes.lookup(ip('10.9.1.1')).gateway, '10.0.0.4');
        const near = netns.routes.lookup(ip('10.0.0.9'));
        assert.deepEqual([near.gateway, near.link, near.type], [undefined, 'a', 'unicast']);
        assert.equal(netns.routes.lookup(ip('fd00::9')).link, 'a');
        const local = netns.routes.lookup(ip('10.0.0.1'));
        assert.deepEqual([local.type, local.link], ['local', 'lo']);
        refuses('ENETUNREACH', () => netns.routes.lookup(ip('192.0.2.1')));
        refuses('ENETUNREACH', () => netns.routes.lookup(ip('fd99::1')));
        refuses('ENODEV', () => netns.routes.lookup(ip('10.0.0.9'), { link: 'none' }));
      });
    });

    describe('neighbours and FDB', () => {
      const mac = parseMac('02:00:00:00:00:0c');
      const mac2 = parseMac('02:00:00:00:00:0d');

      test('neighbours: replace, list, delete', () => {
        pair();
        for (const address of ['10.0.0.9', 'fd00::9']) {
          const neighbour = { link: 'a', address: ip(address) };
          netns.neighbours.replace({ ...neighbour, mac });
          netns.neighbours.replace({ ...neighbour, mac: mac2 });
          const listed = () => netns.neighbours.list({ link: 'a' }).filter((n) => n.address === address);
          assert.deepEqual(listed(), [{ ...neighbour, mac: mac2, state: 'permanent' }]);
          netns.neighbours.delete(neighbour);
          netns.neighbours.delete(neighbour);
          assert.equal(listed().filter(({ state }) => state === 'permanent').length, 0);
        }
        refuses('ENODEV', () => netns.neighbours.replace({ link: 'none', address: ip('10.0.0.9'), mac }));
        assert.deepEqual(netns.neighbours.list({ link: 'none' }), []);
      });
      test('announce: both families; a link that is down or missing says so', () => {
        pair();
        netns.neighbours.announce({ link: 'a', address: ip('10.0.0.1') });
        netns.neighbours.announce({ link: 'a', address: ip('fd00::1') });
        refuses('ENODEV', () => netns.neighbours.announce({ link: 'none', address: ip('10.0.0.1') }));
        netns.links.set('a', { up: false });
        refuses('ENETDOWN', () => netns.neighbours.announce({ link: 'a', address: ip('10.0.0.1') }));
      });
      test('fdb: a VXLAN entry has one destination, the default entry several', () => {
        netns.links.add({
          kind: 'vxlan',
          name: 'vx',
          up: true,
          vxlan: { vni: 1, port: 8472, local: undefined, link: undefined, learning: false },
        });
        const entry = (last: number, to = mac) => ({
          link: 'vx',
          mac: to,
          destination: ip(`10.0.0.${last}`),
        });
        netns.fdb.replace(entry(1));
        netns.fdb.replace(entry(2));
        assert.deepEqual(netns.fdb.list({ link: 'vx' }), [entry(2)]);
        netns.fdb.delete(entry(2));
        netns.fdb.delete(entry(2));
        const zeros = parseMac('00:00:00:00:00:00');
        netns.fdb.replace(entry(1, zeros));
        netns.fdb.replace(entry(2, zeros));
        netns.fdb.replace(entry(2, zeros));
        assert.deepEqual(
          netns.fdb
            .list({ link: 'vx' })
            .map(({ destination }) => destination)
            .sort(),
          ['10.0.0.1', '10.0.0.2'],
        );
        netns.fdb.delete(entry(1, zeros));
        assert.deepEqual(netns.fdb.list({ link: 'vx' }), [entry(2, zeros)]);
        refuses('ENODEV', () => netns.fdb.replace({ ...entry(1), link: 'none' }));
      });
      test('fdb: an entry of a bridge port', () => {
        netns.links.add({ kind: 'bridge', name: 'br0', up: true });
        netns.links.add({
          kind: 'veth',
          name: 'a',
          up: true,
          master: 'br0',
          peer: { name: 'b', netns: other },
        });
        const entry = { link: 'a', mac, destination: undefined };
        const there = () => netns.fdb.list({ link: 'a' }).filter((e) => e.mac === mac);
        netns.fdb.replace(entry);
        assert.deepEqual(there(), [entry]);
        netns.fdb.delete(entry);
        assert.deepEqual(there(), []);
      });
    });

    describe('shaping', () => {
      const limit = { rate: 10_000_000, burst: 800_000 };
      const near = (value = 0, wanted: number) => Math.abs(value - wanted) < wanted / 100;

      test('limit, limitOf, unlimit', () => {
        pair();
        netns.shaping.unlimit('a');
        assert.equal(netns.shaping.limitOf('a'), undefined);
        netns.shaping.limit('a', limit);
        netns.shaping.limit('a', { ...limit, rate: 100_000_000_000 });
        const got = netns.shaping.limitOf('a');
        assert.ok(near(got?.rate, 100_000_000_000) && near(got?.burst, limit.burst), JSON.stringify(got));
        netns.shaping.unlimit('a');
        netns.shaping.unlimit('a');
        netns.shaping.unlimit('none');
        assert.deepEqual([netns.shaping.limitOf('a'), netns.shaping.limitOf('none')], [undefined, undefined]);
        refuses('ENODEV', () => netns.shaping.limit('none', limit));
        assert.throws(() => netns.shaping.limit('a', { ...limit, burst: 1 }), /burst of a: invalid value 1/);
        assert.throws(() => netns.shaping.limit('a', { ...limit, rate: Number.NaN }), /rate of a/);
      });
      test('redirectIngress, redirectOf, unredirectIngress', () => {
        pair();
        netns.links.add({ kind: 'ifb', name: 'ifb-a', up: true });
        netns.links.add({ kind: 'ifb', name: 'ifb-b', up: true });
        netns.shaping.redirectIngress('a', 'ifb-a');
        netns.shaping.redirectIngress('a', 'ifb-b');
        assert.equal(netns.shaping.redirectOf('a'), 'ifb-b');
        assert.equal(netns.shaping.redirectOf('ifb-b'), undefined);
        netns.shaping.unredirectIngress('a');
        netns.shaping.unredirectIngress('a');
        assert.equal(netns.shaping.redirectOf('a'), undefined);
        refuses('ENODEV', () => netns.shaping.redirectIngress('a', 'none'));
        refuses('ENODEV', () => netns.shaping.redirectIngress('none', 'ifb-a'));
      });
    });

    describe('sysctl', () => {
      test('get, set: a value belongs to its namespace; dots in a link name are slashes', () => {
        netns.links.add({ kind: 'veth', name: 'a.1', peer: { name: 'b' } });
        netns.sysctl.set('net.ipv4.conf.a/1.proxy_arp', '1');
        assert.equal(netns.sysctl.get('net.ipv4.conf.a/1.proxy_arp'), '1');
        netns.sysctl.set('net.ipv4.ip_forward', '1');
        assert.deepEqual(
          [netns, other].map((n) => n.sysctl.get('net.ipv4.ip_forward')),
          ['1', '0'],
        );
      });
      test('a key that is not there: undefined to read, ENOENT to write; bad values and keys EINVAL', () => {
        assert.equal(netns.sysctl.get('net.ipv4.conf.none.forwarding'), undefined);
        refuses('ENOENT', () => netns.sysctl.set('net.ipv4.conf.none.forwarding', '1'));
        refuses('EINVAL', () => netns.sysctl.set('net.ipv4.ip_forward', 'yes'));
        for (const key of ['net.//.x', '', 'net..x']) refuses('EINVAL', () => netns.sysctl.get(key));
      });
    });

    describe('nft', () => {
      const script = `table ip t {
        map m { type ipv4_addr . inet_proto . inet_service : verdict; }
        set s { type ipv4_addr; flags timeout; }
        chain one { }
        chain two { }
      }
      `;
      const element = (last: number, chain = 'one'): NftElementChange => ({
        ...{ op: 'add', family: 'ip', table: 't', set: 'm' },
        key: [Uint8Array.of(10, 96, 0, last), Uint8Array.of(6), Uint8Array.of(0, 80)],
        data: { verdict: { kind: 'goto', chain } },
      });
      const remove = ({ data: _, ...rest }: NftElementChange): NftElementChange => ({
        ...rest,
        op: 'delete',
      });
      const refusesLater = (errno: string, call: () => Promise<unknown>) =>
        assert.rejects(call, (error) => isKernelError(error, errno) || assert.fail(`not ${errno}: ${error}`));

      test('run: makes and deletes tables, each namespace its own', async () => {
        await netns.nft.run(script);
        await netns.nft.run(script);
        assert.deepEqual(await netns.nft.listTables(), [{ family: 'ip', name: 't' }]);
        assert.deepEqual(await other.nft.listTables(), []);
        await netns.nft.run('delete table ip t');
        assert.deepEqual(await netns.nft.listTables(), []);
        await refusesLater('ENOENT', () => netns.nft.run('delete table ip t'));
        assert.equal(await netns.nft.listTable('ip', 't'), undefined);
      });
      test('elements: add, again, change by delete and add, delete', async () => {
        await netns.nft.run(script);
        await netns.nft.elements([]);
        await netns.nft.elements([element(1), element(2)]);
        await netns.nft.elements([element(1)]);
        await refusesLater('EEXIST', () => netns.nft.elements([element(1, 'two')]));
        await netns.nft.elements([remove(element(1)), element(1, 'two')]);
        await refusesLater('EEXIST', () => netns.nft.elements([element(1)]));
        await netns.nft.elements([remove(element(1)), remove(element(2))]);
        await refusesLater('ENOENT', () => netns.nft.elements([remove(element(1))]));
      });
      test('elements: all or nothing, and the error names the element', async () => {
        await netns.nft.run(script);
        await netns.nft.elements([element(1)]);
        await assert.rejects(
          netns.nft.elements([element(2), element(3), remove(element(9)), element(4)]),
          /delete ip t m \{ 0a600009.*ENOENT/,
        );
        for (const last of [2, 3, 4])
          await refusesLater('ENOENT', () => netns.nft.elements([remove(element(last))]));
      });
      test('elements: refuses a missing set, table or chain, and data that does not fit', async () => {
        await netns.nft.run(script);
        await refusesLater('ENOENT', () => netns.nft.elements([{ ...element(1), set: 'none' }]));
        await refusesLater('ENOENT', () => netns.nft.elements([{ ...element(1), table: 'none' }]));
        await refusesLater('ENOENT', () => netns.nft.elements([element(1, 'none')]));
        await refusesLater('EINVAL', () => netns.nft.elements([{ ...remove(element(1)), op: 'add' }]));
      });
      test('elements: timeouts and comments', async () => {
        await netns.nft.run(script);
        const change: NftElementChange = {
          ...{ op: 'add', family: 'ip', table: 't', set: 's', key: [Uint8Array.of(10, 0, 0, 1)] },
          ...{ timeout: 60_000, comment: 'default/web' },
        };
        await netns.nft.elements([change]);
        await netns.nft.elements([{ ...change, op: 'delete' }]);
        await refusesLater('EINVAL', () => netns.nft.elements([{ ...element(1), timeout: 1000 }]));
        await refusesLater('EINVAL', () => netns.nft.elements([{ ...change, comment: 'x'.repeat(129) }]));
      });
    });

    describe('conntrack', () => {
      test('list, delete: an empty table', async () => {
        assert.deepEqual(await netns.conntrack.list({ protocol: 17 }), []);
        const tuple = {
          source: ip('10.0.0.1'),
          destination: ip('10.0.0.2'),
          protocol: 17,
          sourcePort: 1,
          destinationPort: 2,
        };
        netns.conntrack.delete({ original: tuple });
      });
    });

    describe('monitor', () => {
      test('reports changes of its namespace until disposed', async () => {
        const events: NetworkEvent[] = [];
        const tick = () => new Promise((resolve) => setTimeout(resolve, 20));
        const monitor = netns.monitor((event) => events.push(event));
        const { index } = netns.links.add({
          kind: 'veth',
          name: 'a',
          up: true,
          peer: { name: 'b', up: true, netns: other },
        });
        netns.addresses.add({ link: 'a', address: ip('10.0.0.1'), prefixLength: 24 });
        netns.neighbours.replace({ link: 'a', address: ip('10.0.0.9'), mac: parseMac('02:00:00:00:00:0c') });
        netns.links.delete('a');
        const gone = (event: NetworkEvent) => event.kind === 'link' && event.change === 'del';
        for (let turn = 0; turn < 100 && !events.some(gone); turn++) await tick();
        const kinds = events.map((event) =>
          event.kind === 'overrun' ? event.kind : `${event.change} ${event.kind}`,
        );
        for (const kind of ['new link', 'new address', 'new route', 'del link'])
          assert.ok(kinds.includes(kind), `${kind} in ${kinds.join()}`);
        assert.ok(!kinds.some((kind) => kind.includes('neighbour')));
        assert.ok(
          events.every(
            (event) => event.kind === 'overrun' || event.ifindex === index || event.kind === 'route',
          ),
        );
        monitor[Symbol.dispose]();
        const before = events.length;
        netns.links.add({ kind: 'bridge', name: 'br0' });
        await tick();
        assert.equal(events.length, before);
      });
    });

    before(() => assert.equal(count, 0));
    after(() => refuses('ENOENT', () => kernel.openNetns(path(count))));
  });
}
