import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, test } from 'node:test';
import { Argument, Command, Option } from 'commander';
import { completionScript, SHELLS, type Shell } from './completion.ts';
import { findOnPath } from './run-in-place.ts';

const directory = mkdtempSync(join(tmpdir(), 'podway-completion-'));
after(() => rmSync(directory, { recursive: true }));

/** What the shells ask for what only the program knows. */
const podway = join(directory, 'podway');
writeFileSync(
  podway,
  '#!/bin/sh\ncase "$*" in "lab list -o name") echo big; echo default ;; "lab status -o name") echo node1; echo node2 ;; esac\n',
);
chmodSync(podway, 0o755);

function script(shell: Shell): string {
  const program = new Command('podway');
  program.command('demo').description('a tour');
  program.command('agent').description("one node's network").helpOption(false);
  program.command('completion').addArgument(new Argument('<shell>').choices(SHELLS));
  const lab = program.command('lab').description("it's a cluster");
  const name = () => new Option('--name <name>', 'which');
  lab
    .command('up')
    .addOption(name())
    .addOption(new Option('--proxy <mechanism>', 'how').choices(['nftables', 'iptables']))
    .option('--dry-run', 'only say');
  lab.command('kubectl');
  lab.command('kubeconfig').addOption(name());
  lab.command('logs').argument('<node>').addOption(name());
  return completionScript(shell, program, { agent: ['--node-name', '--no-masquerade'] });
}

const CASES: readonly (readonly [words: readonly string[], offered: readonly string[]])[] = [
  [['de'], ['demo']],
  [
    ['lab', 'ku'],
    ['kubeconfig', 'kubectl'],
  ],
  [['lab', 'up', '--dr'], ['--dry-run']],
  [
    ['lab', 'up', '--proxy', ''],
    ['iptables', 'nftables'],
  ],
  [['lab', 'up', '--dry-run', '--proxy', 'n'], ['nftables']],
  [
    ['lab', 'kubeconfig', '--name', ''],
    ['big', 'default'],
  ],
  [
    ['lab', 'logs', 'node'],
    ['node1', 'node2'],
  ],
  [['completion', 'f'], ['fish']],
  [
    ['agent', '--no'],
    ['--no-masquerade', '--node-name'],
  ],
];

/** A program for the shell that prints what it offers for each line, and END. */
const ASK: Readonly<Record<Shell, (lines: readonly (readonly string[])[]) => readonly string[]>> = {
  bash: (lines) => ['-c', [script('bash'), ...lines.map(askFunction)].join('\n')],
  // Completes in earnest only for a person at a terminal: the function it calls is asked here.
  zsh: (lines) => [
    '-f',
    '-c',
    [
      'autoload -U compinit && compinit -D -u; complete() { :; }',
      script('zsh'),
      'setopt KSH_ARRAYS SH_WORD_SPLIT',
      ...lines.map(askFunction),
    ].join('\n'),
  ],
  fish: (lines) => [
    '--no-config',
    '-c',
    [
      script('fish'),
      ...lines.map((words) => `complete -C '${['podway', ...words].join(' ')}'; echo END`),
    ].join('\n'),
  ],
};

function askFunction(words: readonly string[]): string {
  const line = ['podway', ...words].map((word) => `'${word}'`).join(' ');
  return `COMP_WORDS=(${line}); COMP_CWORD=${words.length}; _podway; printf '%s\\n' "\${COMPREPLY[@]}" END`;
}

/** What the shell offers for each line, without descriptions; zsh leaves out itself what does not begin as the word does. */
function offers(shell: Shell, asked: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const env = { ...process.env, PATH: `${directory}${delimiter}${process.env['PATH']}`, HOME: directory };
  const { stdout, stderr } = spawnSync(shell, ASK[shell](asked), { encoding: 'utf8', env });
  assert.equal(stderr, '');
  return stdout
    .split('END\n')
    .slice(0, -1)
    .map((part, i) => {
      const found = part.split('\n').map((line) => line.split('\t')[0] ?? '');
      return found.filter((word) => word !== '' && word.startsWith(asked[i]?.at(-1) ?? '')).sort();
    });
}

for (const shell of SHELLS) {
  const skip = findOnPath(shell, process.env['PATH'] ?? '') === undefined && `there is no ${shell} on PATH`;
  test(`completionScript: ${shell} offers commands, options and their values`, { skip }, () => {
    assert.deepEqual(
      offers(
        shell,
        CASES.map(([words]) => words),
      ),
      CASES.map(([, offered]) => offered),
    );
  });
}
