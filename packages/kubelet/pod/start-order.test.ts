import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dueToStart } from './start-order.ts';

const WAITING = { succeeded: false, started: false };
const RUNNING = { succeeded: false, started: true };
const ENDED = { succeeded: true, started: false };

const one = { name: 'one', kind: 'init' } as const;
const side = { name: 'side', kind: 'sidecar' } as const;
const two = { name: 'two', kind: 'init' } as const;
const web = { name: 'web', kind: 'app' } as const;
const log = { name: 'log', kind: 'app' } as const;
const debug = { name: 'debug', kind: 'ephemeral' } as const;

const names = (containers: Parameters<typeof dueToStart>[0]) =>
  dueToStart(containers)
    .map((container) => ('name' in container ? container.name : ''))
    .join(' ');

const app = { ...web, ...WAITING };

test('dueToStart: without init containers all start', () => {
  assert.equal(names([app, { ...log, ...WAITING }]), 'web log');
});

test('dueToStart: an init container waits for the one before it to succeed', () => {
  const rest = [{ ...two, ...WAITING }, app];
  assert.equal(names([{ ...one, ...WAITING }, ...rest]), 'one');
  assert.equal(names([{ ...one, ...RUNNING }, ...rest]), 'one');
  assert.equal(names([{ ...one, ...ENDED }, ...rest]), 'two');
  assert.equal(names([{ ...one, ...ENDED }, { ...two, ...ENDED }, app]), 'web');
});

test('dueToStart: what comes after a sidecar waits for its start, and the sidecar is kept running', () => {
  const rest = [{ ...two, ...WAITING }, app];
  assert.equal(names([{ ...side, ...WAITING }, ...rest]), 'side');
  assert.equal(names([{ ...side, ...RUNNING }, ...rest]), 'side two');
  assert.equal(names([{ ...side, ...RUNNING }, { ...two, ...ENDED }, app]), 'side web');
  // One that has ended is started again, whatever its exit code.
  assert.equal(names([{ ...side, ...ENDED }, { ...two, ...ENDED }, app]), 'side');
});

test('dueToStart: a debugging container waits for nobody', () => {
  assert.equal(names([{ ...one, ...WAITING }, app, { ...debug, ...WAITING }]), 'debug one');
});
