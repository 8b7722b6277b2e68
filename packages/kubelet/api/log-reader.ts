import { existsSync, readFileSync } from 'node:fs';
import { type ContainerLog, type LogLine, parseLogLine, rotatedPath } from '../runtime/container-log.ts';

/** As the query of a kubelet's `/containerLogs`. */
export interface LogOptions {
  readonly follow: boolean;
  readonly tailLines: number | undefined;
  /** Milliseconds since the epoch. */
  readonly since: number | undefined;
  readonly timestamps: boolean;
  readonly limitBytes: number | undefined;
}

/** The lines of a log that the options ask for, as text. */
export function selectLines(
  lines: readonly LogLine[],
  options: Omit<LogOptions, 'follow' | 'limitBytes'>,
): string {
  const { since, tailLines } = options;
  const recent = since === undefined ? lines : lines.filter(({ time }) => Date.parse(time) >= since);
  const tail = tailLines === undefined ? recent : tailLines === 0 ? [] : recent.slice(-tailLines);
  return tail.map((line) => formatLine(line, options.timestamps)).join('');
}

function formatLine(line: LogLine, timestamps: boolean): string {
  return `${timestamps ? `${line.time} ` : ''}${line.text}${line.whole ? '\n' : ''}`;
}

function parseLines(text: string): readonly LogLine[] {
  return text
    .split('\n')
    .map(parseLogLine)
    .filter((line) => line !== undefined);
}

/**
 * Writes a log to `write`; with `follow`, until the container ends or `signal` aborts.
 */
export async function readLog(
  log: ContainerLog,
  options: LogOptions,
  write: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  const { promise: full, resolve: onFull } = Promise.withResolvers<void>();
  const send = (text: string) => {
    if (text === '' || left <= 0) return;
    const bytes = Buffer.from(text);
    write(bytes.length <= left ? text : bytes.subarray(0, left).toString());
    left -= bytes.length;
    if (left <= 0) onFull();
  };
  const files = [rotatedPath(log.path), log.path].filter((path) => existsSync(path));
  send(
    selectLines(
      files.flatMap((path) => parseLines(readFileSync(path, 'utf8'))),
      options,
    ),
  );
  if (!options.follow || log.ended || left <= 0) return;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  using _lines = log.onLines((text) => {
    if (text === undefined) resolve();
    else send(selectLines(parseLines(text), { ...options, tailLines: undefined }));
  });
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await Promise.race([ended, full]);
}
