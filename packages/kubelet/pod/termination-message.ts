import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '#kube-api';
import { parseLogLine } from '../runtime/container-log.ts';
import { TERMINATION_LOG } from './build-root.ts';

/** What a kubelet keeps of a message, and of a log that stands for one: characters, and lines. */
const MAX_MESSAGE = 4096;
const MAX_LOG = 2048;
const MAX_LINES = 80;

/** What an ended container wrote to its termination message path, or, where it asks for that, the end of its log. */
export function terminationMessage(
  dir: string,
  container: Container,
  exitCode: number,
  logPath: string,
): string {
  const message = readText(join(dir, TERMINATION_LOG)).slice(0, MAX_MESSAGE);
  if (message !== '' || exitCode === 0 || container.terminationMessagePolicy !== 'FallbackToLogsOnError')
    return message;
  const lines = readText(logPath)
    .split('\n')
    .slice(-MAX_LINES - 1);
  return lines
    .flatMap((line) => parseLogLine(line)?.text ?? [])
    .join('\n')
    .slice(-MAX_LOG);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
