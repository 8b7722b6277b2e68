import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hostPrefix, parseIp as ip, parsePrefix as to } from '#ip';
import type { RouteSpec } from '../ports/routes.ts';
import { type Fixture, refuses } from './fixture.ts';

export function routesConformance(given: Fixture): void {
  describe('routes', () => {
    const own = (family?: 'IPv4' | 'IPv6') =>
      given.netns.routes.list({ protocol: 93, ...(family === undefined ? {} : { family }) });
    const full: RouteSpec = {
      ...{ destination: to('10.244.1.0/24'), gateway: ip('10.0.0.2'), link: 'a', mtu: 1400, metric: 5 },
      ...{ source: ip('10.0.0.1'), table: 100, protocol: 94 },
    };

    test('add: what was left out is what ip route would choose', () => {
      given.pair();
      given.netns.routes.add({ destination: to('0.0.0.0/0'), gateway: ip('10.0.0.2') });
      given.netns.routes.add({ destination: to('::/0'), gateway: ip('fd00::2') });
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
      given.pair();
      given.netns.routes.add(full);
      assert.deepEqual(given.netns.routes.list({ table: 100 }), [
        { ...full, type: 'unicast', scope: 'universe', onlink: false },
      ]);
      assert.deepEqual(given.netns.routes.list({ protocol: 94 }), given.netns.routes.list({ table: 100 }));
      assert.deepEqual(own(), []);
      assert.deepEqual(given.netns.routes.list({ table: 101 }), []);
    });
    test('add: a gateway that only a route to the link leads to', () => {
      given.pair();
      const { routes } = given.netns;
      for (const [gateway, destination] of [
        ['192.0.2.1', '10.244.1.0/24'],
        ['fd99::1', 'fd00:244::/64'],
      ] as const) {
        const host = hostPrefix(ip(gateway));
        routes.add({ destination: host, link: 'a', scope: 'link' });
        routes.add({ destination: to(destination), gateway: ip(gateway), link: 'a' });
      }
      assert.equal(routes.lookup(ip('10.244.1.1')).gateway, '192.0.2.1');
      assert.equal(routes.lookup(ip('fd00:244::1')).gateway, 'fd99::1');
    });
    test('add: an IPv6 gateway for an IPv4 destination', () => {
      given.pair();
      given.netns.routes.add({ destination: to('10.244.1.0/24'), gateway: ip('fd00::2'), link: 'a' });
      assert.deepEqual(
        own().map(({ gateway, link }) => [gateway, link]),
        [['fd00::2', 'a']],
      );
      assert.equal(given.netns.routes.lookup(ip('10.244.1.1')).gateway, 'fd00::2');
    });
    test('add: on link', () => {
      given.pair();
      given.netns.routes.add({
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
        given.pair();
        given.netns.routes.add({ destination: to('10.9.0.0/16'), type });
        assert.deepEqual(
          own().map((route) => [route.type, route.gateway, route.link]),
          [[type, undefined, undefined]],
        );
        const errno = { blackhole: 'EINVAL', unreachable: 'EHOSTUNREACH', prohibit: 'EACCES' }[type];
        refuses(errno, () => given.netns.routes.lookup(ip('10.9.0.1')));
      });
    test('add: refuses what Linux refuses', () => {
      given.pair();
      given.netns.links.add({ kind: 'bridge', name: 'down' });
      const destination = to('10.244.1.0/24');
      const v6 = to('fd01::/64');
      refuses('ENETUNREACH', () => given.netns.routes.add({ destination, gateway: ip('192.0.2.1') }));
      refuses('ENETUNREACH', () =>
        given.netns.routes.add({ destination, gateway: ip('192.0.2.1'), link: 'a' }),
      );
      refuses('EHOSTUNREACH', () => given.netns.routes.add({ destination: v6, gateway: ip('fd99::1') }));
      refuses('EINVAL', () => given.netns.routes.add({ destination: v6, gateway: ip('fd00::1') }));
      refuses('EINVAL', () =>
        given.netns.routes.add({ destination, gateway: ip('10.0.0.2'), source: ip('10.0.0.7') }),
      );
      refuses('ENODEV', () => given.netns.routes.add({ destination }));
      refuses('ENODEV', () => given.netns.routes.add({ destination: v6 }));
      refuses('ENODEV', () => given.netns.routes.add({ destination, link: 'none' }));
      refuses('ENETDOWN', () => given.netns.routes.add({ destination, link: 'down' }));
      refuses('EINVAL', () =>
        given.netns.routes.add({ destination: v6, gateway: ip('10.0.0.2'), link: 'a' }),
      );
      assert.deepEqual(own(), []);
    });
    for (const [destination, gateway] of [
      ['10.244.1.0/24', '10.0.0.2'],
      ['fd01::/64', 'fd00::2'],
    ] as const)
      test(`add, replace, delete: ${destination} is there once a metric and table`, () => {
        given.pair();
        const route = { destination: to(destination), gateway: ip(gateway) };
        given.netns.routes.add(route);
        refuses('EEXIST', () => given.netns.routes.add({ ...route, mtu: 1300 }));
        given.netns.routes.add({ ...route, metric: 77 });
        given.netns.routes.add({ ...route, table: 100 });
        given.netns.routes.replace({ ...route, mtu: 1300 });
        assert.deepEqual(
          own()
            .filter(({ table, metric }) => table === 254 && metric !== 77)
            .map(({ mtu }) => mtu),
          [1300],
        );
        assert.equal(own().length, 3);
        given.netns.routes.delete({ ...route, metric: 77 });
        given.netns.routes.delete({ ...route, metric: 77 });
        assert.equal(own().length, 2);
        given.netns.routes.delete({ destination: route.destination, table: 100 });
        given.netns.routes.delete(route);
        given.netns.routes.delete({ ...route, link: 'none' });
        assert.deepEqual(own(), []);
      });
    test('replace: adds when there is none', () => {
      given.pair();
      given.netns.routes.replace(full);
      assert.equal(given.netns.routes.list({ table: 100 }).length, 1);
    });
    test('a link that goes down or away takes its routes', () => {
      given.pair();
      given.netns.routes.add({ destination: to('10.244.1.0/24'), gateway: ip('10.0.0.2') });
      given.netns.links.set('a', { up: false });
      assert.deepEqual(own(), []);
    });
    test('lookup: longest prefix, then metric; local addresses; nothing is ENETUNREACH', () => {
      given.pair();
      const gateway = ip('10.0.0.2');
      given.netns.routes.add({ destination: to('10.9.0.0/16'), gateway: ip('10.0.0.3'), metric: 10 });
      given.netns.routes.add({ destination: to('10.9.0.0/16'), gateway: ip('10.0.0.4'), metric: 5 });
      given.netns.routes.add({ destination: to('10.9.9.0/24'), gateway });
      const found = given.netns.routes.lookup(ip('10.9.9.9'));
      assert.deepEqual(
        [found.destination, found.gateway, found.link, found.source],
        ['10.9.9.9/32', '10.0.0.2', 'a', '10.0.0.1'],
      );
      assert.equal(given.netns.routes.lookup(ip('10.9.1.1')).gateway, '10.0.0.4');
      const near = given.netns.routes.lookup(ip('10.0.0.9'));
      assert.deepEqual([near.gateway, near.link, near.type], [undefined, 'a', 'unicast']);
      assert.equal(given.netns.routes.lookup(ip('fd00::9')).link, 'a');
      const local = given.netns.routes.lookup(ip('10.0.0.1'));
      assert.deepEqual([local.type, local.link], ['local', 'lo']);
      refuses('ENETUNREACH', () => given.netns.routes.lookup(ip('192.0.2.1')));
      refuses('ENETUNREACH', () => given.netns.routes.lookup(ip('fd99::1')));
      refuses('ENODEV', () => given.netns.routes.lookup(ip('10.0.0.9'), { link: 'none' }));
    });
  });
}
