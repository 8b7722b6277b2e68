import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { errorMessage, InvalidInputError } from './errors.ts';

/**
 * The values of a program's flags, and nothing but flags. @param program as the user calls it, for the way to its help
 * @throws InvalidInputError that names the word which is wrong, and the flag that may have been meant
 */
export function readFlags<const T extends ParseArgsOptionsConfig>(
  program: string,
  args: readonly string[],
  flags: T,
) {
  try {
    return parseArgs<{ args: string[]; options: T; strict: true; allowNegative: true }>({
      args: [...args],
      options: flags,
      strict: true,
      allowNegative: true,
    }).values;
  } catch (error) {
    const [reason = ''] = errorMessage(error).split('. ');
    const [, word = args.join(' ')] = /'(-*[^' ]+)/.exec(reason) ?? [];
    const near = word.startsWith('--') ? nearest(word.slice(2), Object.keys(flags)) : undefined;
    const meant = near === undefined || word === `--${near}` ? '' : ` (did you mean --${near}?)`;
    throw new InvalidInputError('arguments', word, `${reason}${meant}; see ${program} --help`);
  }
}

/** The word that takes fewest changes, if those are few. */
function nearest(word: string, known: readonly string[]): string | undefined {
  const found = known
    .map((each) => ({ each, changes: changesBetween(word, each) }))
    .filter(({ each, changes }) => changes <= Math.max(1, Math.floor(each.length / 3)))
    .sort((a, b) => a.changes - b.changes)[0];
  return found?.each;
}

/** How many letters to add, take away or replace (Levenshtein's distance). */
function changesBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries())
      next.push(
        Math.min((row[j] ?? 0) + (letter === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1),
      );
    row = next;
  }
  return row.at(-1) ?? 0;
}
