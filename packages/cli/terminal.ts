import { styleText } from 'node:util';

/** Where the command line writes, and how. */
export interface Terminal {
  /** The command's result. */
  out(text: string): void;
  /** Progress and errors. */
  err(text: string): void;
  /** Writes over the line before on a terminal; elsewhere nothing. */
  progress(text: string): void;
  readonly style: Style;
}

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

const PLAIN: Style = { bold: same, dim: same, good: same, bad: same };
const COLOURED: Style = {
  bold: (text) => styleText('bold', text, { validateStream: false }),
  dim: (text) => styleText('dim', text, { validateStream: false }),
  good: (text) => styleText('green', text, { validateStream: false }),
  bad: (text) => styleText('red', text, { validateStream: false }),
};

function same(text: string): string {
  return text;
}

interface Stream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Colour only on a terminal, and not with NO_COLOR set (no-color.org) or TERM=dumb. */
export function createTerminal(
  environment: Readonly<Record<string, string | undefined>>,
  stdout: Stream = process.stdout,
  stderr: Stream = process.stderr,
): Terminal {
  const plain = Boolean(environment['NO_COLOR']) || environment['TERM'] === 'dumb';
  const overwrites = stderr.isTTY === true && environment['TERM'] !== 'dumb';
  return {
    out: (text) => void stdout.write(`${text}\n`),
    err: (text) => void stderr.write(`${overwrites ? '\r\x1b[K' : ''}${text}\n`),
    progress: (text) => {
      if (overwrites) stderr.write(`\r\x1b[K${text}`);
    },
    style: stdout.isTTY === true && !plain ? COLOURED : PLAIN,
  };
}
