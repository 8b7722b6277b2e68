import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { PodwayError } from '#runtime';

export class CommandNotFoundError extends PodwayError {
  readonly code = 'CommandNotFound';
}

/**
 * Becomes the command (execve(2)): terminal, signals and exit status are its own from here on.
 * @throws CommandNotFoundError with `hint` when it is nowhere on the PATH
 */
export function runInPlace(command: readonly string[], environment: NodeJS.ProcessEnv, hint: string): never {
  const [name = '', ...args] = command;
  const file = name.includes('/') ? name : findOnPath(name, environment['PATH'] ?? '');
  if (file === undefined) throw new CommandNotFoundError(`${name}: not found; ${hint}`);
  if (process.execve === undefined)
    throw new CommandNotFoundError('this Node cannot replace itself: use Node 24');
  return process.execve(file, [name, ...args], definedOnly(environment));
}

export function findOnPath(name: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .filter((directory) => directory !== '')
    .map((directory) => join(directory, name))
    .find((candidate) => {
      try {
        accessSync(candidate, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function definedOnly(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}
