/**
 * Log levels, by what a reader should do: `error` someone must act; `warn` something went wrong and will be tried again
 * or done without; `info` a state change an operator would ask about (a few an hour when idle); `debug` each decision.
 */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. */
  with(fields: LogFields): Logger;
}

export interface LogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger over any sink. */
export function createLogger(
  sink: (record: LogRecord) => void,
  level: LogLevel = 'info',
  bound: LogFields = {},
): Logger {
  const least = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel) => (message: string, fields?: LogFields) => {
    if (LOG_LEVELS.indexOf(own) >= least) sink({ level: own, message, fields: { ...bound, ...fields } });
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => createLogger(sink, level, { ...bound, ...fields }),
  };
}

export const silentLogger: Logger = createLogger(() => {}, 'error');

/** One line a record, `time level message key=value …`, to a stream: stderr unless told, and nothing else ends when that takes no more. */
export function streamLogger(
  level: LogLevel = 'info',
  stream: { write(text: string): unknown } = toleratedStderr(),
  now: () => number = Date.now,
): Logger {
  return createLogger((record) => stream.write(`${formatRecord(record, now())}\n`), level);
}

/** A full disk under a redirected stderr, or a reader that is gone, must not end the program. */
function toleratedStderr(): NodeJS.WriteStream {
  const { stderr } = process;
  if (!stderr.listeners('error').includes(tolerate)) stderr.on('error', tolerate);
  return stderr;
}

function tolerate(): void {}

function formatRecord({ level, message, fields }: LogRecord, now: number): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${formatValue(value)}`);
  return `${new Date(now).toISOString()} ${level.padEnd(5)} ${message}${pairs.join('')}`;
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message);
  if (typeof value === 'string') return /^[\w./:@%+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? String(value);
}
