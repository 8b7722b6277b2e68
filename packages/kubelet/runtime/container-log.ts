import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { OutputStream } from './stdio.ts';

/** A kubelet's default containerLogMaxSize, 10 Mi; with the one file before it that is kept, the same twice over. */
const MAX_BYTES = 10 * 1024 * 1024;
/** A line longer than this is written in parts, as containerd does. */
const MAX_LINE = 16 * 1024;

/** The file that a container's output goes to, in the CRI format: `TIME stdout|stderr P|F TEXT`. */
export class ContainerLog {
  readonly path: string;
  readonly #now: () => number;
  readonly #partial: Record<OutputStream, Buffer> = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0) };
  readonly #listeners = new Set<(lines: string | undefined) => void>();
  #fd: number | undefined;
  #size = 0;

  constructor(path: string, now: () => number) {
    this.path = path;
    this.#now = now;
    mkdirSync(dirname(path), { recursive: true });
    this.#fd = openSync(path, 'a', 0o640);
    this.#size = statSync(path).size;
  }

  get ended(): boolean {
    return this.#fd === undefined;
  }

  append(stream: OutputStream, chunk: Buffer): void {
    if (this.#fd === undefined) return;
    let rest = Buffer.concat([this.#partial[stream], chunk]);
    const lines: Buffer[] = [];
    for (let end = rest.indexOf(0x0a); end >= 0 || rest.length > MAX_LINE; end = rest.indexOf(0x0a)) {
      const whole = end >= 0 && end <= MAX_LINE;
      const length = whole ? end : MAX_LINE;
      lines.push(this.#line(stream, rest.subarray(0, length), whole ? 'F' : 'P'));
      rest = rest.subarray(whole ? length + 1 : length);
    }
    this.#partial[stream] = rest;
    this.#write(lines);
  }

  /** Writes what has no newline yet, and closes. */
  end(): void {
    if (this.#fd === undefined) return;
    for (const stream of ['stdout', 'stderr'] as const)
      if (this.#partial[stream].length > 0) this.#write([this.#line(stream, this.#partial[stream], 'P')]);
    closeSync(this.#fd);
    this.#fd = undefined;
    this.#notify(undefined);
  }

  /** Calls with the lines of each write, as they are in the file, and with undefined at the end. */
  onLines(listener: (lines: string | undefined) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  #line(stream: OutputStream, text: Buffer, tag: 'P' | 'F'): Buffer {
    const time = new Date(this.#now()).toISOString().replace('Z', '000000Z');
    return Buffer.concat([Buffer.from(`${time} ${stream} ${tag} `), text, Buffer.from('\n')]);
  }

  #write(lines: readonly Buffer[]): void {
    if (lines.length === 0 || this.#fd === undefined) return;
    const bytes = Buffer.concat(lines);
    if (this.#size + bytes.length > MAX_BYTES && this.#size > 0) this.#rotate();
    writeSync(this.#fd, bytes);
    this.#size += bytes.length;
    if (this.#listeners.size > 0) this.#notify(bytes.toString());
  }

  #rotate(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    if (existsSync(this.path)) renameSync(this.path, rotatedPath(this.path));
    this.#fd = openSync(this.path, 'a', 0o640);
    this.#size = 0;
  }

  #notify(lines: string | undefined): void {
    for (const listener of this.#listeners) listener(lines);
  }
}

/** The file before the present one. */
export function rotatedPath(path: string): string {
  return `${path}.1`;
}

/** One line of a log in the CRI format. */
export interface LogLine {
  readonly time: string;
  readonly stream: string;
  /** Without the newline that a whole line ends with. */
  readonly text: string;
  readonly whole: boolean;
}

export function parseLogLine(line: string): LogLine | undefined {
  const match = /^(\S+) (stdout|stderr) ([PF])(?: (.*))?$/s.exec(line);
  if (match === null) return undefined;
  const [, time = '', stream = '', tag, text = ''] = match;
  return { time, stream, text, whole: tag === 'F' };
}
