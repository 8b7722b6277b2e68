import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { ContainerLog, rotatedPath } from '../runtime/container-log.ts';
import { type LogOptions, readLog } from './log-reader.ts';

const ALL: LogOptions = {
  follow: false,
  tailLines: undefined,
  since: undefined,
  timestamps: false,
  limitBytes: undefined,
};

async function withLog(use: (log: ContainerLog, at: (ms: number) => void) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'kubelet-log-'));
  let now = 0;
  const log = new ContainerLog(join(dir, '0.log'), () => now);
  try {
    await use(log, (ms) => {
      now = ms;
    });
  } finally {
    log.end();
    rmSync(dir, { recursive: true });
  }
}

async function read(log: ContainerLog, options: Partial<LogOptions> = {}): Promise<string> {
  let text = '';
  const write = (part: string) => {
    text += part;
  };
  await readLog(log, { ...ALL, ...options }, write, new AbortController().signal);
  return text;
}

test('readLog: lines cut by chunks are whole, the last one without newline too', () =>
  withLog(async (log) => {
    log.append('stdout', Buffer.from('one\ntw'));
    log.append('stderr', Buffer.from('err\n'));
    log.append('stdout', Buffer.from('o\nrest'));
    assert.equal(await read(log), 'one\nerr\ntwo\n');
    log.end();
    assert.equal(await read(log), 'one\nerr\ntwo\nrest');
  }));

test('readLog: tail, since, timestamps and limit', () =>
  withLog(async (log, at) => {
    for (const second of [1, 2, 3]) {
      at(second * 1000);
      log.append('stdout', Buffer.from(`line ${second}\n`));
    }
    assert.equal(await read(log, { tailLines: 2 }), 'line 2\nline 3\n');
    assert.equal(await read(log, { since: 3000 }), 'line 3\n');
    assert.equal(
      await read(log, { tailLines: 1, timestamps: true }),
      '1970-01-01T00:00:03.000000000Z line 3\n',
    );
    assert.equal(await read(log, { limitBytes: 9 }), 'line 1\nli');
  }));

test('readLog: follows until the container ends', () =>
  withLog(async (log) => {
    log.append('stdout', Buffer.from('before\n'));
    const reading = read(log, { follow: true, tailLines: 0 });
    log.append('stdout', Buffer.from('after\n'));
    log.end();
    assert.equal(await reading, 'after\n');
  }));

test('readLog: a follower that leaves ends it', () =>
  withLog(async (log) => {
    const gone = new AbortController();
    const reading = readLog(log, { ...ALL, follow: true }, () => {}, gone.signal);
    gone.abort();
    await reading;
  }));

test('ContainerLog: rotates, keeping the file before', () =>
  withLog(async (log) => {
    const line = Buffer.from(`${'x'.repeat(1023)}\n`);
    for (let count = 0; count < 11 * 1024; count++) log.append('stdout', line);
    assert.ok(existsSync(rotatedPath(log.path)));
    assert.equal((await read(log)).length, 11 * 1024 * 1024);
  }));

test('ContainerLog: a very long line is written in parts and read as one', () =>
  withLog(async (log) => {
    log.append('stdout', Buffer.from(`${'y'.repeat(50_000)}\n`));
    assert.equal(await read(log), `${'y'.repeat(50_000)}\n`);
  }));
