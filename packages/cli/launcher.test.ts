import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { version } from './version.ts';

const podway = resolve(import.meta.dirname, '../../podway');

test('podway: works from any directory and through symbolic links', () => {
  const directory = mkdtempSync(join(tmpdir(), 'podway-cli-'));
  try {
    symlinkSync(podway, join(directory, 'first'));
    symlinkSync('first', join(directory, 'second'));
    const output = execFileSync(join(directory, 'second'), ['version'], { cwd: directory, encoding: 'utf8' });
    assert.equal(output, `podway ${version()} (Node ${process.version})\n`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('podway: exit codes: 0 done, 1 failed, 2 wrong usage', () => {
  const code = (...args: readonly string[]) => {
    try {
      execFileSync(podway, args, {
        stdio: 'ignore',
        env: { ...process.env, XDG_STATE_HOME: '/nonexistent' },
      });
      return 0;
    } catch (error) {
      return error instanceof Error && 'status' in error ? error.status : undefined;
    }
  };
  assert.equal(code('lab', 'list'), 0);
  assert.equal(code('lab', 'status'), 1);
  assert.equal(code('lab', 'status', '--nonsense'), 2);
  assert.equal(code('nonsense'), 2);
});
