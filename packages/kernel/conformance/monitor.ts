import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp as ip, parseMac } from '#ip';
import { eventually } from '#runtime';
import type { NetworkEvent } from '../ports/monitor.ts';
import type { Fixture } from './fixture.ts';

export function monitorConformance(given: Fixture): void {
  describe('monitor', () => {
    test('reports changes of its namespace until disposed', async () => {
      const events: NetworkEvent[] = [];
      const monitor = given.netns.monitor((event) => events.push(event));
      given.netns.links.add({
        kind: 'veth',
        name: 'a',
        up: true,
        peer: { name: 'b', up: true, netns: given.other },
      });
      const index = given.netns.links.get('a')?.index;
      given.netns.addresses.add({ link: 'a', address: ip('10.0.0.1'), prefixLength: 24 });
      given.netns.neighbours.replace({
        link: 'a',
        address: ip('10.0.0.9'),
        mac: parseMac('02:00:00:00:00:0c'),
      });
      given.netns.links.delete('a');
      const gone = (event: NetworkEvent) => event.kind === 'link' && event.change === 'del';
      await eventually('the link is gone', () => events.some(gone));
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
      given.netns.links.add({ kind: 'bridge', name: 'br0' });
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(events.length, before);
    });
  });
}
