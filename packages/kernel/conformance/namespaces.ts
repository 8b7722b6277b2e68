import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip, parsePrefix as prefix } from '#ip';
import { type Fixture, refuses } from './fixture.ts';

export function namespacesConformance(given: Fixture): void {
  describe('namespaces', () => {
    test('createNetns: a path is taken once; openNetns finds the same namespace', () => {
      refuses('EEXIST', () => given.kernel.createNetns(given.otherPath));
      using again = given.kernel.openNetns(given.otherPath);
      assert.equal(again.inode, given.other.inode);
      assert.notEqual(given.other.inode, given.netns.inode);
    });
    test('openNetns: a path that is not there is ENOENT', () => {
      refuses('ENOENT', () => given.kernel.openNetns('/run/netns/none'));
    });
    test('deleteNetns: nothing there is no error, and the path is free again', () => {
      given.kernel.deleteNetns(given.path(9999));
      given.kernel.createNetns(given.path(9999))[Symbol.dispose]();
      given.kernel.deleteNetns(given.path(9999));
      given.kernel.deleteNetns(given.path(9999));
      refuses('ENOENT', () => given.kernel.openNetns(given.path(9999)));
    });
    test('run: returns what the section returns and passes its error on', () => {
      assert.equal(
        given.netns.run(() => 7),
        7,
      );
      assert.throws(() => given.netns.run(() => assert.fail('x')), /x/);
    });
    test('batch: what is changed is there at the end, and when something is asked', () => {
      given.pair();
      const route = { destination: prefix('10.9.0.0/16'), gateway: ip('10.0.0.2') };
      const { netns } = given;
      netns.batch(() => {
        netns.links.set('a', { mtu: 1300 });
        netns.addresses.add({ link: 'a', address: ip('10.1.0.1'), prefixLength: 32 });
        assert.equal(netns.links.get('a')?.mtu, 1300);
        netns.links.set('a', { name: 'c' });
        netns.links.add({ kind: 'bridge', name: 'a' });
        netns.links.set('a', { mtu: 1280, up: true });
        netns.routes.add({ ...route, link: 'c' });
      });
      assert.deepEqual([netns.links.get('c')?.mtu, netns.links.get('a')?.mtu], [1300, 1280]);
      assert.ok(netns.addresses.list({ link: 'c' }).some(({ address }) => address === '10.1.0.1'));
      assert.equal(netns.routes.lookup(ip('10.9.0.1')).gateway, '10.0.0.2');
      assert.equal(
        netns.batch(() => 7),
        7,
      );
    });
    test('batch: what is refused throws with its name, and what was before it is done', () => {
      given.pair();
      const { addresses, links } = given.netns;
      const address = { link: 'a', address: ip('10.1.0.1'), prefixLength: 32 };
      const call = () =>
        given.netns.batch(() => {
          links.set('a', { mtu: 1300 });
          addresses.add(address);
          addresses.add(address);
          addresses.add({ ...address, address: ip('10.1.0.2') });
        });
      assert.throws(call, /10\.1\.0\.1\/32 on a/);
      assert.equal(links.get('a')?.mtu, 1300);
      refuses('EEXIST', () => given.netns.batch(() => addresses.add(address)));
      assert.throws(() => given.netns.batch(() => assert.fail('x')), /x/);
      links.set('a', { mtu: 1290 });
      assert.equal(links.get('a')?.mtu, 1290);
    });
    test('a new namespace has a loopback link, down, and nothing else', () => {
      assert.deepEqual(
        given.netns.links.list().map(({ name, kind, up, index }) => ({ name, kind, up, index })),
        [{ name: 'lo', kind: 'loopback', up: false, index: 1 }],
      );
      assert.deepEqual(given.netns.routes.list({ table: 254 }), []);
    });
  });
}
