import { Option } from 'commander';
import { DEFAULT_LAB_NAME } from '#lab';
import { InvalidInputError } from '#runtime';

export interface NameOption {
  readonly name: string;
}

/** `--name`: which lab a command is for. */
export function nameOption(environment: NodeJS.ProcessEnv): Option {
  let given = false;
  return new Option('--name <name>', 'which lab; PODWAY_LAB names it, too')
    .default(environment['PODWAY_LAB'] || DEFAULT_LAB_NAME)
    .argParser((name: string) => {
      // The last of two would win, and nobody be told.
      if (given)
        throw new InvalidInputError('--name', name, 'is given a second time; one command is for one lab');
      given = true;
      return name;
    });
}
