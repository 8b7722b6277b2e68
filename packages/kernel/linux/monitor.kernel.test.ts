import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp, parseMac } from '#ip';
import type { NetworkEvent } from '../ports/monitor.ts';
import { linuxKernel } from './kernel.ts';
import { monitorNetns } from './monitor.ts';

test('monitorNetns: events that the kernel had to drop are an overrun, and it goes on afterwards', async () => {
  using netns = linuxKernel().currentNetns();
  const events: NetworkEvent[] = [];
  const seen = async (found: (event: NetworkEvent) => boolean) => {
    for (let turn = 0; turn < 200 && !events.some(found); turn++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(events.some(found), JSON.stringify(events.slice(-3)));
  };
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
