import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  firstChildOf,
  identifyProcess,
  isAlive,
  processStartedAt,
  signalProcess,
} from './process-identity.ts';

test('isAlive: the same pid with another start time is another process', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const identity = identifyProcess(child.pid ?? 0);
  assert.ok(identity !== undefined);
  assert.equal(isAlive(identity), true);
  const reused = { ...identity, startTime: identity.startTime - 1 };
  assert.equal(isAlive(reused), false);
  assert.equal(signalProcess(reused, 'SIGKILL'), false);
  assert.equal(signalProcess(identity, 'SIGKILL'), true);
  assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL']);
  assert.equal(isAlive(identity), false);
  assert.equal(signalProcess(identity, 'SIGKILL'), false);
});

test('firstChildOf: finds the child of a process, and none of one that has none', async () => {
  const parent = spawn('sh', ['-c', 'sleep 60 & echo; wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(parent.stdout, 'data');
  const child = firstChildOf(parent.pid ?? 0);
  assert.ok(child !== undefined);
  assert.equal(firstChildOf(child.pid), undefined);
  signalProcess(child, 'SIGKILL');
  await once(parent, 'exit');
});

test('processStartedAt: before now, and after the machine', () => {
  const now = Date.now();
  const startedAt = processStartedAt(now);
  assert.ok(startedAt <= now && startedAt > now - 3600_000, `${startedAt} is not shortly before ${now}`);
});
