import { constants } from 'node:os';
import { hasErrorCode } from '#runtime';

/** How a process ended: an exit code, or 128 + the number of a signal. */
export interface ExitResult {
  readonly exitCode: number;
  readonly signal: number;
}

/** From what Node says of the end of a child. */
export function exitResult(code: number | null, signal: NodeJS.Signals | null): ExitResult {
  if (code !== null) return { exitCode: code, signal: code > 128 && code < 160 ? code - 128 : 0 };
  const number = signal === null ? 0 : constants.signals[signal];
  return { exitCode: 128 + number, signal: number };
}

/** A process that is already gone needs no signal. */
export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrorCode(error, 'ESRCH')) throw error;
  }
}
