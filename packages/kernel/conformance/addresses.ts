import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip } from '#ip';
import { type Fixture, refuses } from './fixture.ts';

export function addressesConformance(given: Fixture): void {
  describe('addresses', () => {
    test('add, list, delete: both families, filters', () => {
      given.pair();
      assert.deepEqual(given.netns.addresses.list({ link: 'a', family: 'IPv4' }), [
        { link: 'a', address: '10.0.0.1', prefixLength: 24, scope: 'global' },
      ]);
      const global = given.netns.addresses.list({ family: 'IPv6' }).filter(({ scope }) => scope === 'global');
      assert.deepEqual(global, [
        { link: 'a', address: 'fd00::1', prefixLength: 64, scope: 'global', noDad: true },
      ]);
      given.netns.addresses.delete({ link: 'a', address: ip('10.0.0.1'), prefixLength: 24 });
      given.netns.addresses.delete({ link: 'a', address: ip('10.0.0.1'), prefixLength: 24 });
      given.netns.addresses.delete({ link: 'none', address: ip('10.0.0.1'), prefixLength: 24 });
      assert.deepEqual(given.netns.addresses.list({ family: 'IPv4' }), []);
      assert.deepEqual(given.netns.addresses.list({ link: 'none' }), []);
    });
    test('add: an IPv6 address may be deprecated', () => {
      given.pair();
      const place = { link: 'a', address: ip('fd00::9'), prefixLength: 128 };
      given.netns.addresses.add({ ...place, noDad: true, deprecated: true });
      const listed = given.netns.addresses.list({ link: 'a', family: 'IPv6' });
      assert.deepEqual(
        listed.filter(({ address }) => address === place.address),
        [{ ...place, scope: 'global', noDad: true, deprecated: true }],
      );
      const own = { link: 'a', address: ip('10.0.0.9'), prefixLength: 32 };
      given.netns.addresses.add({ ...own, deprecated: true });
      const [, other] = given.netns.addresses.list({ link: 'a', family: 'IPv4' });
      assert.deepEqual(other, { ...own, scope: 'global' });
    });
    test('add: refuses an equal one, a missing link, a length that does not fit', () => {
      given.pair();
      const address = { link: 'a', address: ip('10.0.0.1'), prefixLength: 24 };
      refuses('EEXIST', () => given.netns.addresses.add(address));
      refuses('EEXIST', () =>
        given.netns.addresses.add({ link: 'a', address: ip('fd00::1'), prefixLength: 64 }),
      );
      refuses('ENODEV', () => given.netns.addresses.add({ ...address, link: 'none' }));
      refuses('EINVAL', () => given.netns.addresses.add({ ...address, prefixLength: 33 }));
      given.netns.addresses.add({ ...address, prefixLength: 32 });
      assert.equal(given.netns.addresses.list({ family: 'IPv4' }).length, 2);
    });
    test('add: the kernel adds the routes of the subnet while the link is up', () => {
      given.pair();
      const subnet = () =>
        given.netns.routes.list({ table: 254 }).filter(({ destination }) => destination === '10.0.0.0/24');
      const [route] = subnet();
      assert.deepEqual(
        [route?.link, route?.source, route?.scope, route?.protocol],
        ['a', '10.0.0.1', 'link', 2],
      );
      assert.equal(
        given.netns.routes
          .list({ table: 255 })
          .some(({ destination, type }) => destination === '10.0.0.1/32' && type === 'local'),
        true,
      );
      given.netns.links.set('a', { up: false });
      assert.deepEqual(subnet(), []);
    });
  });
}
