import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from './commands.ts';
import { completionScript, SHELLS } from './completion.ts';
import type { CommandContext } from './context.ts';
import { createTerminal } from './terminal.ts';

function program(environment: NodeJS.ProcessEnv = {}) {
  const written: string[] = [];
  const stream = { write: (text: string) => written.push(text) };
  const context: CommandContext = {
    terminal: createTerminal(environment, stream, stream),
    environment: { HOME: '/nonexistent', ...environment },
    program: ['node', 'podway.js'],
    startedAt: 0,
    interruption: () => new AbortController().signal,
  };
  return { podway: createProgram(context), written: () => written.join('') };
}

function all(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(all)];
}

test('createProgram: every command says what it does', () => {
  for (const command of all(program().podway)) assert.ok(command.description().length > 10, command.name());
});

test('lab up: names the flag and the words there are', async () => {
  const { podway } = program();
  await assert.rejects(podway.parseAsync(['lab', 'up', '--proxy', 'magic'], { from: 'user' }), {
    message: /^proxy: invalid value "magic": must be nftables or /,
  });
});

test('lab up --dry-run: prints the network and makes nothing', async () => {
  const { podway, written } = program();
  await podway.parseAsync(['lab', 'up', '--dry-run', '--nodes', '2'], { from: 'user' });
  assert.match(written(), /^ip netns add node2$/m);
  assert.doesNotMatch(written(), /node3/);
});

test('lab: a lab that is not there is an error that says what to do', async () => {
  const { podway } = program();
  await assert.rejects(podway.parseAsync(['lab', 'kubeconfig', '--name', 'x'], { from: 'user' }), {
    message: 'there is no lab x; there is none; start one with: podway lab up',
  });
});

test('completionScript: each shell gets every command', () => {
  const { podway } = program();
  for (const shell of SHELLS)
    for (const word of ['lab', 'demo', 'kubeconfig', 'nodes'])
      assert.match(completionScript(shell, podway), new RegExp(word));
  assert.throws(
    () => completionScript('tcsh', podway),
    /shell: invalid value "tcsh": must be bash, zsh, fish/,
  );
});

test('completionScript: bash completes commands and options', () => {
  const script = completionScript('bash', program().podway);
  const complete = (...words: readonly string[]) => {
    const line = ['podway', ...words];
    const ask = `COMP_WORDS=(${line.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${line.length - 1}; _podway; echo "\${COMPREPLY[@]}"`;
    const { stdout, error } = spawnSync('bash', ['-c', `${script}\n${ask}`], { encoding: 'utf8' });
    assert.equal(error, undefined);
    return stdout.trim().split(' ');
  };
  assert.deepEqual(complete('de'), ['demo']);
  assert.deepEqual(complete('lab', 'ku'), ['kubectl', 'kubeconfig']);
  assert.deepEqual(complete('lab', 'up', '--no'), ['--nodes']);
});
