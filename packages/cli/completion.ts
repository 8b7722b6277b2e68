import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Words that stand for something, or the command of ours that knows them. */
type Values = { readonly words: readonly string[] } | { readonly ask: string };

interface OptionWords {
  readonly long: string;
  readonly about: string;
  /** undefined: it takes none. */
  readonly values: Values | undefined;
}

/** What can follow a command. */
interface Words {
  /** The commands before, `lab up`; empty for the program itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly options: readonly OptionWords[];
  /** Of the first argument. */
  readonly argument: Values | undefined;
}

const NOTHING: Values = { words: [] };
const LABS: Values = { ask: 'lab list -o name' };
const NODES: Values = { ask: 'lab status -o name' };

/** First arguments that the commands themselves do not list. */
const ARGUMENTS: Readonly<Record<string, Values>> = { 'lab exec': NODES, 'lab logs': NODES };

/**
 * A completion script made from the commands themselves.
 * @param flags of commands that read their own, by path
 */
export function completionScript(
  shell: Shell,
  program: Command,
  flags: Readonly<Record<string, readonly string[]>> = {},
): string {
  const words = wordsOf(program, [], flags);
  switch (shell) {
    case 'bash':
      return `${bash(words)}\ncomplete -o default -F _podway podway ./podway`;
    case 'zsh':
      // Read as a file, or loaded as the function that is asked for: then it answers at once.
      return `#compdef podway\nautoload -U +X bashcompinit && bashcompinit\n${bash(words)}\ncomplete -o default -F _podway podway ./podway\n[[ \${funcstack[1]} != _podway ]] || _bash_complete -o default -F _podway`;
    case 'fish':
      return fish(words);
  }
}

function wordsOf(
  command: Command,
  path: readonly string[],
  flags: Readonly<Record<string, readonly string[]>>,
): readonly Words[] {
  const name = path.join(' ');
  const options: readonly OptionWords[] = command.options.flatMap(
    ({ long, description, argChoices, required }) => {
      if (!long) return [];
      const values = argChoices ? { words: argChoices } : long === '--name' ? LABS : NOTHING;
      return [{ long, about: description, values: required ? values : undefined }];
    },
  );
  const read = flags[name] ?? ['--help'];
  const [argument] = command.registeredArguments;
  const own: Words = {
    path: name,
    commands: command.commands.map((child) => ({ name: child.name(), about: child.description() })),
    options: [...options, ...read.map((long) => ({ long, about: '', values: undefined }))],
    argument: argument?.argChoices ? { words: argument.argChoices } : ARGUMENTS[name],
  };
  return [own, ...command.commands.flatMap((child) => wordsOf(child, [...path, child.name()], flags))];
}

/** For zsh too, to which a variable `path` would be PATH, and an index like COMP_CWORD-1 no number. */
function bash(words: readonly Words[]): string {
  const given = (values: Values) =>
    'words' in values ? `'${values.words.join(' ')}'` : `"$("\${COMP_WORDS[0]}" ${values.ask} 2>/dev/null)"`;
  const paths = words.filter(({ path }) => path !== '').map(({ path }) => `      '${path}') at='${path}' ;;`);
  const values = words.flatMap(({ path, options }) =>
    options.flatMap(({ long, values }) =>
      // A file, or a word of the user's own: the shell's default.
      values === undefined ? [] : [`    '${path} ${long}') words=${given(values)} ;;`],
    ),
  );
  const cases = words.map(({ path, commands, options, argument }) => {
    const fixed = [...commands.map(({ name }) => name), ...options.map(({ long }) => long)].join(' ');
    return `    '${path}') words='${fixed}'${argument === undefined ? '' : `\\ ${given(argument)}`} ;;`;
  });
  return `_podway() {
  local at='' word words='' IFS=$' \\t\\n'
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD-1))}"; do
    case "\${at:+$at }$word" in
${paths.join('\n')}
    esac
  done
  case "$at \${COMP_WORDS[$((COMP_CWORD-1))]}" in
${values.join('\n')}
    *) case "$at" in
${cases.join('\n')}
    esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}`;
}

function fish(words: readonly Words[]): string {
  const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const given = (values: Values) =>
    quoted('words' in values ? values.words.join(' ') : `(podway ${values.ask} 2>/dev/null)`);
  const about = (text: string) => (text === '' ? '' : ` -d ${quoted(text)}`);
  const lines = words.flatMap(({ path, commands, options, argument }) => {
    const seen = path.split(' ').filter((word) => word !== '');
    const names = commands.map(({ name }) => name);
    const condition = [
      ...seen.map((word) => `__fish_seen_subcommand_from ${word}`),
      ...(names.length > 0 ? [`not __fish_seen_subcommand_from ${names.join(' ')}`] : []),
    ].join('; and ');
    const when = condition === '' ? '' : ` -n '${condition}'`;
    return [
      ...commands.map((child) => `complete -c podway${when} -a ${child.name}${about(child.about)}`),
      ...(argument === undefined ? [] : [`complete -c podway${when} -a ${given(argument)}`]),
      ...options.map(({ long, values, about: text }) => {
        const takes = values === undefined ? '' : values === NOTHING ? ' -r -F' : ` -x -a ${given(values)}`;
        return `complete -c podway${when} -l ${long.replace(/^--/, '')}${takes}${about(text)}`;
      }),
    ];
  });
  return ['complete -c podway -f', ...lines].join('\n');
}
