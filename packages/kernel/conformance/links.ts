import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip, parseMac } from '#ip';
import { type Fixture, names, refuses } from './fixture.ts';

export function linksConformance(given: Fixture): void {
  describe('links', () => {
    test('add: a veth pair over two namespaces, all options', () => {
      const mac = parseMac('02:00:00:00:00:0a');
      given.netns.links.add({ kind: 'bridge', name: 'br0', up: true });
      given.netns.links.add({
        ...{ kind: 'veth', name: 'a', master: 'br0', mtu: 1400, up: true, alias: 'default/pod' },
        peer: { name: 'eth0', netns: given.other, mac, mtu: 1400, up: true, alias: 'peer' },
      });
      const link = given.netns.links.get('a');
      const peer = given.other.links.get('eth0');
      assert.equal(link?.master, given.netns.links.get('br0')?.index);
      assert.equal(link?.peerIndex, peer?.index);
      assert.equal(peer?.peerIndex, link?.index);
      assert.deepEqual(
        [link?.kind, link?.mtu, link?.up, link?.alias, peer?.mac, peer?.mtu, peer?.up, peer?.alias],
        ['veth', 1400, true, 'default/pod', mac, 1400, true, 'peer'],
      );
    });
    test('add: a name is taken once, and has 1 to 15 bytes without slashes', () => {
      given.netns.links.add({ kind: 'bridge', name: 'br0' });
      refuses('EEXIST', () => given.netns.links.add({ kind: 'bridge', name: 'br0' }));
      refuses('ERANGE', () => given.netns.links.add({ kind: 'bridge', name: 'sixteen-byte-nam' }));
      refuses('EINVAL', () => given.netns.links.add({ kind: 'bridge', name: 'a/b' }));
      refuses('EINVAL', () => given.netns.links.add({ kind: 'bridge', name: '' }));
    });
    test('add: a veth whose peer name is taken leaves nothing', () => {
      given.other.links.add({ kind: 'bridge', name: 'eth0' });
      refuses('EEXIST', () =>
        given.netns.links.add({ kind: 'veth', name: 'a', peer: { name: 'eth0', netns: given.other } }),
      );
      assert.deepEqual(names(given.netns), ['lo']);
    });
    test('add: a master that is not there is ENODEV, one that is no bridge EOPNOTSUPP, and nothing is left', () => {
      given.netns.links.add({ kind: 'veth', name: 'x', peer: { name: 'y' } });
      const spec = { kind: 'veth', name: 'a', peer: { name: 'b' } } as const;
      refuses('ENODEV', () => given.netns.links.add({ ...spec, master: 'none' }));
      refuses('EOPNOTSUPP', () => given.netns.links.add({ ...spec, master: 'x' }));
      assert.deepEqual(names(given.netns).sort(), ['lo', 'x', 'y']);
    });
    test('add: a vxlan link keeps its options', () => {
      const vxlan = { vni: 42, port: 8472, local: ip('10.0.0.1'), link: undefined, learning: false };
      given.netns.links.add({ kind: 'vxlan', name: 'vx', vxlan });
      assert.deepEqual(given.netns.links.get('vx')?.vxlan, vxlan);
      given.pair();
      const over = { ...vxlan, vni: 43, link: 'a' };
      given.netns.links.add({ kind: 'vxlan', name: 'vy', vxlan: over });
      assert.deepEqual(given.netns.links.get('vy')?.vxlan, over);
      refuses('ENODEV', () =>
        given.netns.links.add({ kind: 'vxlan', name: 'vz', vxlan: { ...over, vni: 44, link: 'none' } }),
      );
    });
    test('set: mtu, mac, alias, name, up and down', () => {
      given.netns.links.add({ kind: 'bridge', name: 'br0' });
      const mac = parseMac('02:00:00:00:00:0b');
      given.netns.links.set('br0', { mtu: 1300, mac, alias: 'x', up: true });
      const { mtu, mac: got, alias, up } = given.netns.links.get('br0') ?? {};
      assert.deepEqual([mtu, got, alias, up], [1300, mac, 'x', true]);
      given.netns.links.set('br0', { up: false });
      given.netns.links.set('br0', { name: 'br1' });
      assert.equal(given.netns.links.get('br0'), undefined);
      assert.equal(given.netns.links.get('br1')?.up, false);
    });
    test('set: refuses a link that is not there, a taken name, an mtu out of range', () => {
      given.netns.links.add({ kind: 'veth', name: 'a', peer: { name: 'b' } });
      refuses('ENODEV', () => given.netns.links.set('none', { up: true }));
      refuses('EEXIST', () => given.netns.links.set('a', { name: 'b' }));
      refuses('EINVAL', () => given.netns.links.set('a', { mtu: 1 }));
    });
    test('set: master and the options of its port, null takes the port out', () => {
      given.netns.links.add({ kind: 'bridge', name: 'br0' });
      given.netns.links.add({ kind: 'veth', name: 'a', peer: { name: 'b' } });
      refuses('EOPNOTSUPP', () => given.netns.links.set('a', { hairpin: true }));
      given.netns.links.set('a', { master: 'br0', hairpin: true });
      assert.deepEqual(
        [
          given.netns.links.get('a')?.hairpin,
          given.netns.links.get('a')?.flooded,
          given.netns.links.get('a')?.master,
        ],
        [true, true, given.netns.links.get('br0')?.index],
      );
      given.netns.links.set('a', { hairpin: false, flooded: false });
      const port = given.netns.links.get('a');
      assert.deepEqual([port?.hairpin, port?.flooded], [false, false]);
      given.netns.links.set('a', { master: null });
      assert.equal(given.netns.links.get('a')?.master, undefined);
      refuses('ENODEV', () => given.netns.links.set('a', { master: 'none' }));
    });
    test('set: a link moves to another namespace, down, unless its name is taken there', () => {
      given.netns.links.add({ kind: 'veth', name: 'a', up: true, peer: { name: 'b' } });
      given.netns.links.set('a', { netns: given.other });
      assert.deepEqual(names(given.netns), ['lo', 'b']);
      assert.equal(given.other.links.get('a')?.up, false);
      given.netns.links.set('b', { name: 'a' });
      refuses('EEXIST', () => given.netns.links.set('a', { netns: given.other }));
    });
    test('delete: takes the veth peer and frees the ports of a bridge; nothing there is no error; lo stays', () => {
      given.netns.links.add({ kind: 'bridge', name: 'br0' });
      given.netns.links.add({
        kind: 'veth',
        name: 'a',
        master: 'br0',
        peer: { name: 'b', netns: given.other },
      });
      given.netns.links.delete('br0');
      assert.equal(given.netns.links.get('a')?.master, undefined);
      given.other.links.delete('b');
      assert.deepEqual([names(given.netns), names(given.other)], [['lo'], ['lo']]);
      given.netns.links.delete('a');
      refuses('EOPNOTSUPP', () => given.netns.links.delete('lo'));
    });
    test('deleteAsync: several at once, nothing there is no error, lo stays', async () => {
      given.pair();
      given.netns.links.add({ kind: 'bridge', name: 'br0' });
      await Promise.all(['a', 'br0', 'none', 'a'].map((name) => given.netns.links.deleteAsync(name)));
      assert.deepEqual([names(given.netns), names(given.other)], [['lo'], ['lo']]);
      await assert.rejects(given.netns.links.deleteAsync('lo'), { errno: 'EOPNOTSUPP' });
    });
    test('get: what can be no name is no link', () => {
      for (const name of ['', 'a/b', 'x'.repeat(300)]) assert.equal(given.netns.links.get(name), undefined);
    });
  });
}
