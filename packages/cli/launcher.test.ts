import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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

test('podway: help of a command by both ways, of those that read their own flags too', () => {
  for (const words of [['lab', 'up'], ['agent'], ['dns']]) {
    const asked = execFileSync(podway, ['help', ...words], { encoding: 'utf8' });
    assert.match(asked, new RegExp(`podway ${words.join(' ')}`));
    assert.equal(execFileSync(podway, [...words, '--help'], { encoding: 'utf8' }), asked);
  }
  assert.match(execFileSync(podway, ['--version'], { encoding: 'utf8' }), /^podway \d/);
});

test('podway: a reader that is gone ends it without a word, a full disk with one', () => {
  const run = (line: string) => spawnSync('sh', ['-c', line, podway], { encoding: 'utf8' }).stderr;
  assert.equal(run('"$0" lab --help | true'), '');
  assert.match(run('"$0" lab --help >/dev/full'), /^podway: the output cannot be written: ENOSPC/);
});

test('podway: the bundle reads a kubeconfig in YAML', () => {
  const directory = mkdtempSync(join(tmpdir(), 'podway-cli-'));
  try {
    const kubeconfig = join(directory, 'config');
    writeFileSync(kubeconfig, 'apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts: []\n');
    const required = [
      '--node-name',
      'n',
      '--cluster-cidr',
      '10.244.0.0/16',
      '--service-cidr',
      '10.96.0.0/16',
    ];
    const agent = ['agent', ...required, '--cluster-dns', '10.96.0.10', '--kubeconfig', kubeconfig];
    const { status, stderr } = spawnSync(podway, agent, { encoding: 'utf8' });
    assert.match(stderr, /contexts: invalid value "here": no context of this name/);
    assert.equal(status, 2);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
