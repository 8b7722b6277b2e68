import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from './commands.ts';
import { createTerminal } from './terminal.ts';

const root = resolve(import.meta.dirname, '../..');
const PAGES = ['README.md', 'docs/operate/proxy-modes.md', 'examples/README.md'];

const podway = createProgram({
  terminal: createTerminal({}),
  environment: { HOME: '/nonexistent' },
  program: [],
  startedAt: 0,
  interruption: () => new AbortController().signal,
});

/** What of a command line the program does not know; words from -- on are another program's. */
function unknownWords(line: string): readonly string[] {
  const words = line.split(/\s+/);
  const end = words.indexOf('--');
  let command: Command = podway;
  return words.slice(0, end < 0 ? words.length : end).filter((word) => {
    const next = command.commands.find((child) => child.name() === word);
    if (next !== undefined) {
      command = next;
      return false;
    }
    // The agent and the DNS program read their own.
    if (command.options.length === 0 && ['agent', 'dns', 'test'].includes(command.name())) return false;
    if (word.startsWith('-'))
      return !command.options.some(({ long, short }) => word === long || word === short);
    return command.commands.length > 0;
  });
}

test('unknownWords: finds what is not there', () => {
  assert.deepEqual(unknownWords('lab up --nodes 3 --name x'), []);
  assert.deepEqual(unknownWords('lab upp'), ['upp']);
  assert.deepEqual(unknownWords('lab up --node 3 -- --other'), ['--node']);
});

test('documentation: the commands that it shows are those of the program', () => {
  const lines = PAGES.flatMap((page) =>
    [...readFileSync(join(root, page), 'utf8').matchAll(/(?:\.\/|`)podway ([^#`)\n]+)/g)].map(
      ([, line = '']) => line.trim(),
    ),
  );
  assert.ok(lines.length > 10, `${lines.length} commands`);
  const wrong = lines.filter((line) => unknownWords(line).length > 0);
  assert.deepEqual(wrong, []);
});
