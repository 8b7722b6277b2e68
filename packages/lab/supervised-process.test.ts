import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, FakeClock, silentLogger } from '#runtime';
import { SupervisedProcess } from './supervised-process.ts';

function scratch() {
  const directory = mkdtempSync(join(tmpdir(), 'podway-lab-'));
  return {
    log: join(directory, 'log'),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

test('SupervisedProcess: starts an ended process again, at once and then each time later', async () => {
  using files = scratch();
  const clock = new FakeClock();
  const process = new SupervisedProcess({
    name: 'failing',
    command: ['sh', '-c', 'echo once; exit 3'],
    environment: { PATH: globalThis.process.env['PATH'] },
    log: files.log,
    logger: silentLogger,
    clock,
    retryMs: { first: 100, max: 150 },
  });
  await using _end = process;
  await eventually('it has ended', () => process.status().state === 'waiting');
  assert.equal(process.status().lastExit, 'exit code 3');
  clock.advance(0);
  assert.equal(process.status().restarts, 1);
  await eventually('it has ended', () => process.status().state === 'waiting');
  clock.advance(99);
  assert.equal(process.status().restarts, 1);
  clock.advance(1);
  assert.equal(process.status().restarts, 2);
  await eventually('it has ended', () => process.status().state === 'waiting');
  clock.advance(149);
  assert.equal(process.status().restarts, 2);
  clock.advance(1);
  assert.equal(process.status().restarts, 3);
  await eventually('it has ended', () => process.status().state === 'waiting');
  assert.equal(readFileSync(files.log, 'utf8'), 'once\nonce\nonce\nonce\n');
});

test('SupervisedProcess: disposing ends the process and starts none again', async () => {
  using files = scratch();
  const process = new SupervisedProcess({
    name: 'long',
    command: ['sleep', '60'],
    environment: { PATH: globalThis.process.env['PATH'] },
    log: files.log,
    logger: silentLogger,
  });
  assert.equal(process.status().state, 'running');
  await process[Symbol.asyncDispose]();
  assert.deepEqual(
    { ...process.status(), since: 0 },
    { name: 'long', state: 'stopped', pid: undefined, restarts: 0, lastExit: 'SIGTERM', since: 0 },
  );
});

test('SupervisedProcess: another command takes its place at once, also while it waits, and nobody is told of an end', async () => {
  using files = scratch();
  const ends: string[] = [];
  const process = new SupervisedProcess({
    name: 'replaced',
    command: ['sleep', '60'],
    environment: { PATH: globalThis.process.env['PATH'] },
    log: files.log,
    logger: silentLogger,
    onEnd: (reason) => ends.push(reason),
    retryMs: { first: 60_000, max: 60_000 },
  });
  await using _end = process;
  await process.replace(['sh', '-c', 'exit 3']);
  assert.deepEqual([process.status().lastExit, ends], ['SIGTERM', []]);
  await eventually('it has ended', () => ends.length === 1); // and now it waits a minute
  assert.equal(process.status().state, 'waiting');
  await process.replace(['sleep', '60']);
  assert.deepEqual([process.status().state, process.status().restarts], ['running', 2]);
  assert.deepEqual(ends, ['exit code 3']);
});

test('SupervisedProcess: a command that is not there is tried again like one that ended', async () => {
  using files = scratch();
  const process = new SupervisedProcess({
    name: 'missing',
    command: ['/nonexistent/command'],
    environment: {},
    log: files.log,
    logger: silentLogger,
    clock: new FakeClock(),
  });
  await using _end = process;
  await eventually('it has ended', () => process.status().state === 'waiting');
  assert.match(process.status().lastExit ?? '', /ENOENT/);
});

test('SupervisedProcess: hands sockets down as sd_listen_fds(3) takes them, under the PID that it reports', async () => {
  using files = scratch();
  const handed = openSync(files.log, 'a');
  const process = new SupervisedProcess({
    name: 'heir',
    command: ['sh', '-c', 'echo "$LISTEN_PID $LISTEN_FDS $LISTEN_FDNAMES $$" >&3; exec sleep 60'],
    environment: { PATH: globalThis.process.env['PATH'] },
    log: `${files.log}.own`,
    logger: silentLogger,
    descriptors: async () => ({ fds: [handed], names: ['dns'], [Symbol.dispose]: () => {} }),
  });
  await using _end = process;
  await eventually('it says so', () => readFileSync(files.log, 'utf8').endsWith('\n'));
  const { pid } = process.status();
  assert.equal(readFileSync(files.log, 'utf8'), `${pid} 1 dns ${pid}\n`);
  closeSync(handed);
});
