/** Flags as Go programs take them: `--name=value`, `--name value`, `-name value`; a flag alone is `true`. */
export interface Flags {
  readonly flags: ReadonlyMap<string, string>;
  readonly rest: readonly string[];
}

/** @param booleans flags that take no value in the next word */
export function parseFlags(words: readonly string[], booleans: readonly string[] = []): Flags {
  const flags = new Map<string, string>();
  const rest: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    const match = /^--?([a-zA-Z][\w-]*)(?:=(.*))?$/s.exec(word);
    if (match === null) {
      rest.push(word);
      continue;
    }
    const [, name = '', value] = match;
    const next = words[index + 1];
    if (value !== undefined) flags.set(name, value);
    else if (booleans.includes(name) || next === undefined || next.startsWith('-')) flags.set(name, 'true');
    else {
      flags.set(name, next);
      index++;
    }
  }
  return { flags, rest };
}
