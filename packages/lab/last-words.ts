import { readFileSync } from 'node:fs';

/** The last lines of a log, as they are; '' when there are none. */
export function lastWords(log: string, lines = 1): string {
  try {
    return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
}
