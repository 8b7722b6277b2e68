import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp, parseMac } from '#ip';
import { eventually } from '#runtime';
import type { NetworkEvent } from '../ports/monitor.ts';
import { sandboxedKernel } from '../testing/sandboxed-kernel.ts';
import { monitorNetns } from './monitor.ts';

test('monitorNetns: events that the kernel had to drop are an overrun, and it goes on afterwards', async () => {
  using netns = sandboxedKernel().currentNetns();
  const events: NetworkEvent[] = [];
  const seen = (found: (event: NetworkEvent) => boolean) =>
    eventually('an event', () => events.some(found) || assert.fail(JSON.stringify(events.slice(-3))));
  using _monitor = monitorNetns((event) => events.push(event), ['neighbour', 'link'], 4096);
  netns.links.add({ kind: 'bridge', name: 'br0', up: true });
  // The event loop does not turn meanwhile.
  for (let i = 1; i < 200; i++)
    netns.neighbours.replace({
      link: 'br0',
      address: parseIp(`10.0.0.${i}`),
      mac: parseMac('02:00:00:00:00:0a'),
    });
  await seen(({ kind }) => kind === 'overrun');
  assert.ok(events.length < 200);
  events.length = 0;
  netns.links.add({ kind: 'bridge', name: 'br1' });
  await seen(({ kind }) => kind === 'link');
});
