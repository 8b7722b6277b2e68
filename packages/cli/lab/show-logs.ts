import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, watch } from 'node:fs';
import { basename } from 'node:path';
import { type LabPaths, logPath } from '#lab';
import { InvalidInputError } from '#runtime';
import type { Terminal } from '../terminal.ts';

/**
 * Prints the logs of a node's agent and kubelet, or of one process of the lab, in the order of their times; with a
 * signal, goes on with what is added until it aborts.
 */
export async function showLogs(
  paths: LabPaths,
  name: string,
  follow: AbortSignal | undefined,
  terminal: Terminal,
): Promise<void> {
  const files = [name, `agent-${name}`, `kubelet-${name}`]
    .filter((process) => /^[a-z0-9-]+$/.test(process))
    .map((process) => logPath(paths, process))
    .filter((path) => existsSync(path));
  if (files.length === 0) {
    const known = readdirSync(paths.logs)
      .filter((file) => file.endsWith('.log'))
      .map((file) => basename(file, '.log').replace(/^(agent|kubelet)-/, ''));
    throw new InvalidInputError(
      'node',
      name,
      `has no log; there are: ${[...new Set(known)].sort().join(', ')}`,
    );
  }
  const lines = files.flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1));
  // Each line begins with its time; lines that do not (a stack) stay behind the one before them.
  const dated = lines.map((line, i) => ({ line, i, time: timeOf(lines, i) }));
  dated.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.i - b.i));
  for (const { line } of dated) terminal.out(line);
  if (follow !== undefined) await Promise.all(files.map((file) => followFile(file, follow)));
}

function timeOf(lines: readonly string[], index: number): string {
  for (let i = index; i >= 0; i--) {
    const [, time] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)/.exec(lines[i] ?? '') ?? [];
    if (time !== undefined) return time;
  }
  return '';
}

/** Copies what is appended to standard output until the signal aborts. */
async function followFile(path: string, signal: AbortSignal): Promise<void> {
  const fd = openSync(path, 'r');
  let position = readFileSync(path).length;
  const buffer = Buffer.alloc(64 * 1024);
  const copy = () => {
    for (;;) {
      const size = readSync(fd, buffer, 0, buffer.length, position);
      if (size === 0) return;
      position += size;
      process.stdout.write(Buffer.from(buffer.subarray(0, size)));
    }
  };
  const watcher = watch(path, copy);
  copy();
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
  watcher.close();
  closeSync(fd);
}
