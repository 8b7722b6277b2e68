import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Fixture, refuses } from './fixture.ts';

export function sysctlConformance(given: Fixture): void {
  describe('sysctl', () => {
    test('get, set: a value belongs to its namespace; dots in a link name are slashes', () => {
      given.netns.links.add({ kind: 'veth', name: 'a.1', peer: { name: 'b' } });
      given.netns.sysctl.set('net.ipv4.conf.a/1.proxy_arp', '1');
      assert.equal(given.netns.sysctl.get('net.ipv4.conf.a/1.proxy_arp'), '1');
      // A new namespace has what the machine's own has.
      given.other.sysctl.set('net.ipv4.ip_forward', '0');
      given.netns.sysctl.set('net.ipv4.ip_forward', '1');
      assert.deepEqual(
        [given.netns, given.other].map((n) => n.sysctl.get('net.ipv4.ip_forward')),
        ['1', '0'],
      );
    });
    test('a key that is not there: undefined to read, ENOENT to write; bad values and keys EINVAL', () => {
      assert.equal(given.netns.sysctl.get('net.ipv4.conf.none.forwarding'), undefined);
      refuses('ENOENT', () => given.netns.sysctl.set('net.ipv4.conf.none.forwarding', '1'));
      refuses('EINVAL', () => given.netns.sysctl.set('net.ipv4.ip_forward', 'yes'));
      for (const key of ['net.//.x', '', 'net..x']) refuses('EINVAL', () => given.netns.sysctl.get(key));
    });
  });
}
