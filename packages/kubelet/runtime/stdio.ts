import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { ReadStream } from 'node:tty';
import { makePipe } from './pipe.ts';
import { openPty, resizePty, type TerminalSize } from './pty.ts';

export type OutputStream = 'stdout' | 'stderr';

/** Takes output as it comes; nothing more is read before a promise that it returns resolves. */
export type OutputListener = (stream: OutputStream, chunk: Buffer) => Promise<void> | undefined;

/** This process's ends of another one's standard streams. */
export interface Stdio {
  /** The other's ends: descriptors for its input, output and errors. */
  readonly child: readonly [number | 'ignore', number, number];
  readonly stdin: NodeJS.WritableStream | undefined;
  closeChildEnds(): void;
  /** Reads all output; resolves at its end. */
  read(onOutput: OutputListener): Promise<void>;
  resize(size: TerminalSize): void;
  close(): void;
}

/** Standard streams of a process: pipes, or a terminal. @param options.multiplexer where the terminal comes from: /dev/ptmx unless told */
export function openStdio(options: {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly multiplexer?: string;
}): Stdio {
  return options.tty ? terminalStdio(options.multiplexer ?? '/dev/ptmx') : pipeStdio(options.stdin);
}

function pipeStdio(withStdin: boolean): Stdio {
  const input = withStdin ? makePipe() : undefined;
  const output = makePipe();
  const error = makePipe();
  const stdin =
    input === undefined ? undefined : new Socket({ fd: input.write, readable: false, writable: true });
  // A program that does not read its input ends before it has all of it.
  stdin?.on('error', () => {});
  return {
    child: [input?.read ?? 'ignore', output.write, error.write],
    stdin,
    closeChildEnds() {
      for (const fd of [input?.read, output.write, error.write]) if (fd !== undefined) closeSync(fd);
    },
    async read(onOutput) {
      await Promise.all([
        readAll(new Socket({ fd: output.read, readable: true, writable: false }), (chunk) =>
          onOutput('stdout', chunk),
        ),
        readAll(new Socket({ fd: error.read, readable: true, writable: false }), (chunk) =>
          onOutput('stderr', chunk),
        ),
      ]);
    },
    resize: () => {},
    close: () => stdin?.destroy(),
  };
}

function terminalStdio(multiplexer: string): Stdio {
  const pty = openPty(multiplexer);
  const stream = new ReadStream(pty.master);
  return {
    child: [pty.slave, pty.slave, pty.slave],
    stdin: stream,
    closeChildEnds: () => closeSync(pty.slave),
    read: (onOutput) => readAll(stream, (chunk) => onOutput('stdout', chunk)),
    resize(size) {
      if (!stream.destroyed) resizePty(pty.master, size);
    },
    close: () => stream.destroy(),
  };
}

/** Resolves at the end of the stream; a terminal without processes ends with EIO, which is its end too. */
function readAll(
  stream: NodeJS.ReadableStream,
  onChunk: (chunk: Buffer) => Promise<void> | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer | string) => {
      const slow = onChunk(Buffer.from(chunk));
      if (slow === undefined) return;
      stream.pause();
      void slow.finally(() => stream.resume());
    });
    stream.on('error', () => resolve());
    stream.on('end', () => resolve());
    stream.on('close', () => resolve());
  });
}
