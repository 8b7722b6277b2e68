import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isLabLocked, takeLabLock } from './lab-lock.ts';

function scratch() {
  const directory = mkdtempSync(join(tmpdir(), 'podway-lab-'));
  return {
    lock: join(directory, 'lock'),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

test('takeLabLock: one at a time', () => {
  using files = scratch();
  {
    using lock = takeLabLock(files.lock, 0);
    assert.ok(lock !== undefined);
    assert.equal(takeLabLock(files.lock, 0), undefined);
    assert.equal(isLabLocked(files.lock), true);
  }
  assert.equal(isLabLocked(files.lock), false);
});

test('takeLabLock: a process that inherits the descriptor holds the lock as long as it lives', async () => {
  using files = scratch();
  const lock = takeLabLock(files.lock, 0);
  assert.ok(lock !== undefined);
  const child = spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'ignore', lock.fd] });
  lock[Symbol.dispose]();
  assert.equal(isLabLocked(files.lock), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isLabLocked(files.lock), false);
});

test('takeLabLock: no directory, no lock', () => {
  assert.equal(takeLabLock('/nonexistent/podway/lock', 0), undefined);
  assert.equal(isLabLocked('/nonexistent/podway/lock'), false);
});
