import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindNamed, testRegistry, WRITER } from '../testing/registry.ts';
import { expireEvents } from './event-expiry.ts';

test('expireEvents: an event goes an hour after it was last seen', () => {
  using context = testRegistry();
  const { registry, clock } = context;
  const events = kindNamed('events');
  using _expiry = expireEvents(registry, events, clock);
  const involvedObject = { kind: 'Pod', name: 'p', namespace: 'default' };
  registry.create(events, 'default', { metadata: { name: 'once' }, involvedObject }, WRITER);
  const lastTimestamp = new Date(clock.now() + 1800_000).toISOString();
  registry.create(events, 'default', { metadata: { name: 'again' }, involvedObject, lastTimestamp }, WRITER);
  const names = () =>
    registry.list(events, {}).items.map(({ metadata }) => (metadata as { name: string }).name);
  clock.advance(3540_000);
  assert.deepEqual(names(), ['again', 'once']);
  clock.advance(180_000);
  assert.deepEqual(names(), ['again']);
});
