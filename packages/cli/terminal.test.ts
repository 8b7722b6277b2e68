import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTerminal } from './terminal.ts';

const sink = (isTTY: boolean) => {
  const written: string[] = [];
  return { isTTY, write: (text: string) => void written.push(text), written };
};

test('createTerminal: colour only on a terminal, and not with NO_COLOR or TERM=dumb', () => {
  const good = (isTTY: boolean, environment: Record<string, string>) =>
    createTerminal(environment, sink(isTTY), sink(isTTY)).style.good('x');
  assert.equal(good(true, {}), '\x1b[32mx\x1b[39m');
  assert.equal(good(false, {}), 'x');
  assert.equal(good(true, { NO_COLOR: '1' }), 'x');
  assert.equal(good(true, { TERM: 'dumb' }), 'x');
});

test('createTerminal: progress is for terminals', () => {
  const file = sink(false);
  createTerminal({}, file, file).progress('1 s');
  assert.deepEqual(file.written, []);
  const screen = sink(true);
  createTerminal({}, screen, screen).progress('1 s');
  assert.deepEqual(screen.written, ['\r\x1b[K1 s']);
});
