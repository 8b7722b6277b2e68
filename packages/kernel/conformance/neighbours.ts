import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip, parseMac } from '#ip';
import { type Fixture, refuses } from './fixture.ts';

export function neighboursConformance(given: Fixture): void {
  describe('neighbours and FDB', () => {
    const mac = parseMac('02:00:00:00:00:0c');
    const mac2 = parseMac('02:00:00:00:00:0d');

    test('neighbours: replace, list, delete', () => {
      given.pair();
      for (const address of ['10.0.0.9', 'fd00::9']) {
        const neighbour = { link: 'a', address: ip(address) };
        given.netns.neighbours.replace({ ...neighbour, mac });
        given.netns.neighbours.replace({ ...neighbour, mac: mac2 });
        const listed = () => given.netns.neighbours.list({ link: 'a' }).filter((n) => n.address === address);
        assert.deepEqual(listed(), [{ ...neighbour, mac: mac2, state: 'permanent' }]);
        given.netns.neighbours.delete(neighbour);
        given.netns.neighbours.delete(neighbour);
        assert.equal(listed().filter(({ state }) => state === 'permanent').length, 0);
      }
      refuses('ENODEV', () => given.netns.neighbours.replace({ link: 'none', address: ip('10.0.0.9'), mac }));
      assert.deepEqual(given.netns.neighbours.list({ link: 'none' }), []);
    });
    test('announce: both families; a link that is down or missing says so', () => {
      given.pair();
      given.netns.neighbours.announce({ link: 'a', address: ip('10.0.0.1') });
      given.netns.neighbours.announce({ link: 'a', address: ip('fd00::1') });
      refuses('ENODEV', () => given.netns.neighbours.announce({ link: 'none', address: ip('10.0.0.1') }));
      given.netns.links.set('a', { up: false });
      refuses('ENETDOWN', () => given.netns.neighbours.announce({ link: 'a', address: ip('10.0.0.1') }));
    });
    test('fdb: a VXLAN entry has one destination, the default entry several', () => {
      given.netns.links.add({
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
      given.netns.fdb.replace(entry(1));
      given.netns.fdb.replace(entry(2));
      assert.deepEqual(given.netns.fdb.list({ link: 'vx' }), [entry(2)]);
      given.netns.fdb.delete(entry(2));
      given.netns.fdb.delete(entry(2));
      const zeros = parseMac('00:00:00:00:00:00');
      given.netns.fdb.replace(entry(1, zeros));
      given.netns.fdb.replace(entry(2, zeros));
      given.netns.fdb.replace(entry(2, zeros));
      assert.deepEqual(
        given.netns.fdb
          .list({ link: 'vx' })
          .map(({ destination }) => destination)
          .sort(),
        ['10.0.0.1', '10.0.0.2'],
      );
      given.netns.fdb.delete(entry(1, zeros));
      assert.deepEqual(given.netns.fdb.list({ link: 'vx' }), [entry(2, zeros)]);
      refuses('ENODEV', () => given.netns.fdb.replace({ ...entry(1), link: 'none' }));
    });
    test('fdb: an entry of a bridge port', () => {
      given.netns.links.add({ kind: 'bridge', name: 'br0', up: true });
      given.netns.links.add({
        kind: 'veth',
        name: 'a',
        up: true,
        master: 'br0',
        peer: { name: 'b', netns: given.other },
      });
      const entry = { link: 'a', mac, destination: undefined };
      const there = () => given.netns.fdb.list({ link: 'a' }).filter((e) => e.mac === mac);
      given.netns.fdb.replace(entry);
      assert.deepEqual(there(), [entry]);
      given.netns.fdb.delete(entry);
      assert.deepEqual(there(), []);
    });
  });
}
