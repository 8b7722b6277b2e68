import type { Command } from 'commander';
import { InvalidInputError } from '#runtime';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** What can follow a command: its subcommands and its long options. */
interface Words {
  /** The commands before, `lab up`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly string[];
  readonly options: readonly string[];
}

/** A completion script made from the commands themselves. @throws InvalidInputError */
export function completionScript(shell: string, program: Command): string {
  const known = SHELLS.find((each) => each === shell);
  const words = wordsOf(program, []);
  switch (known) {
    case 'bash':
      return bash(words);
    case 'zsh':
      return `#compdef podway\nautoload -U +X bashcompinit && bashcompinit\n${bash(words)}`;
    case 'fish':
      return fish(words);
    case undefined:
      throw new InvalidInputError('shell', shell, `must be ${SHELLS.join(', ')}`);
  }
}

function wordsOf(command: Command, path: readonly string[]): readonly Words[] {
  const own = {
    path: path.join(' '),
    commands: command.commands.map((child) => child.name()),
    options: command.options.flatMap(({ long }) => long ?? []),
  };
  return [own, ...command.commands.flatMap((child) => wordsOf(child, [...path, child.name()]))];
}

function bash(words: readonly Words[]): string {
  const cases = words.map(
    ({ path, commands, options }) => `    '${path}') words='${[...commands, ...options].join(' ')}' ;;`,
  );
  return `_podway() {
  local path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in -*) continue ;; esac
    case "$path \${word}" in
${words
  .filter(({ path }) => path !== '')
  .map(({ path }) => `      '${path.includes(' ') ? path : ` ${path}`}') path='${path}' ;;`)
  .join('\n')}
    esac
  done
  case $path in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _podway podway ./podway`;
}

function fish(words: readonly Words[]): string {
  return words
    .flatMap(({ path, commands, options }) => {
      const seen = path.split(' ').filter((word) => word !== '');
      const condition = [
        ...seen.map((word) => `__fish_seen_subcommand_from ${word}`),
        ...(commands.length > 0 ? [`not __fish_seen_subcommand_from ${commands.join(' ')}`] : []),
      ].join('; and ');
      const when = condition === '' ? '' : ` -n '${condition}'`;
      return [
        ...commands.map((name) => `complete -c podway -f${when} -a ${name}`),
        ...options.map((long) => `complete -c podway${when} -l ${long.replace(/^--/, '')}`),
      ];
    })
    .join('\n');
}
