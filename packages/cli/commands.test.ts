import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Command, CommanderError } from 'commander';
import { createProgram, takeStartedAt } from './commands.ts';
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

test('takeStartedAt: the time that the launcher told is this command’s, not one’s that it runs', () => {
  const environment = { PODWAY_STARTED_MS: '1764340000000' };
  assert.equal(takeStartedAt(environment), 1_764_340_000_000);
  assert.ok(takeStartedAt(environment) > Date.now() - 600_000);
});

test('createProgram: every command says what it does', () => {
  for (const command of all(program().podway)) assert.ok(command.description().length > 10, command.name());
});

test('createProgram: bad words are named, with those there are and the way to the help', async () => {
  const wrong: readonly (readonly [line: string, said: RegExp])[] = [
    [
      'lab up --proxy magic',
      /'--proxy <mechanism>' argument 'magic' is invalid. Allowed choices are nftables, /,
    ],
    ['lab up --nodes 0', /^--nodes: invalid value "0": must be from 1 to 200$/],
    ['lab up --node 3', /Did you mean --nodes\?\)\nsee: podway lab up --help/],
    ['lab down --name a --name b', /^--name: invalid value "b": is given a second time/],
    ['lab list -o toml', /Allowed choices are json, yaml, name, wide/],
    ['completion tcsh', /Allowed choices are bash, zsh, fish/],
    ['nonsense', /unknown command 'nonsense'\nsee: podway --help/],
  ];
  for (const [line, said] of wrong) {
    const { podway, written } = program();
    const error: unknown = await podway.parseAsync(line.split(' '), { from: 'user' }).catch((e) => e);
    assert.ok(error instanceof Error, line);
    assert.match(error instanceof CommanderError ? written() : error.message, said, line);
  }
});

test('version: -o json and yaml', async () => {
  for (const [format, said] of [
    ['json', /^\{\n {2}"podway": "[\d.]+",\n {2}"node": "v24/],
    ['yaml', /^podway: [\d.]+\nnode: v24/],
  ] as const) {
    const { podway, written } = program();
    await podway.parseAsync(['version', '-o', format], { from: 'user' });
    assert.match(written(), said);
  }
});

test('lab list: a damaged lab is told of, and hides no other', async () => {
  const state = mkdtempSync(join(tmpdir(), 'podway-cli-'));
  try {
    const record = { name: 'good', createdAt: new Date().toISOString(), options: { nodes: 1 }, port: 1 };
    for (const [name, text] of [
      ['bad', 'no JSON'],
      ['good', JSON.stringify(record)],
    ] as const) {
      mkdirSync(join(state, 'podway/labs', name), { recursive: true });
      writeFileSync(join(state, 'podway/labs', name, 'lab.json'), text);
    }
    const { podway, written } = program({ XDG_STATE_HOME: state });
    await podway.parseAsync(['lab', 'list', '-o', 'name'], { from: 'user' });
    assert.match(written(), /lab\.json is damaged; remove the lab with: podway lab down --name bad\ngood\n$/);
  } finally {
    rmSync(state, { recursive: true });
  }
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
    message: 'there is no lab x; start it with: podway lab up --name x',
  });
});
