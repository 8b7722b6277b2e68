import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { holderCommand } from './holder.ts';

function run(script: string) {
  const [program = '', ...args] = holderCommand(['sh', '-c', script], true);
  return spawnSync(program, args, { encoding: 'utf8', timeout: 60_000 });
}

test('holderCommand: process 1 reaps what is orphaned while the supervisor lives', () => {
  // Twenty grandchildren are left to process 1 and end; as zombies they would be seen for ever.
  const { status } = run(
    'i=0; while [ $i -lt 20 ]; do (sleep 0.1 &); i=$((i + 1)); done; while cat /proc/[0-9]*/stat 2>&1 | grep -q "(sleep)"; do sleep 0.05; done',
  );
  assert.equal(status, 0);
});

test('holderCommand: ends with the status of the supervisor, and everything with it', () => {
  const { status } = run('sleep 1000 & exit 7');
  assert.equal(status, 7);
});

test('holderCommand: SIGTERM to process 1 reaches the supervisor', () => {
  const { stdout, status } = run(
    'trap "echo ended; exit 0" TERM; kill -TERM 1; i=0; while [ $i -lt 300 ]; do sleep 0.1; i=$((i + 1)); done; exit 1',
  );
  assert.equal(stdout, 'ended\n');
  assert.equal(status, 0);
});

test('holderCommand: the lab has a /run of its own', () => {
  const { stdout } = run('ls -A /run; grep -c " /run tmpfs " /proc/self/mounts');
  assert.match(stdout, /^[1-9]\d*\n$/);
});
