import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { hasErrorCode, InvalidInputError } from '#runtime';

/** What the tops of trees are called: nothing else is ever removed. */
const TOP = /^podway-[a-z0-9][a-z0-9.-]*$/;

/** @throws InvalidInputError when a tree of this name is none of ours */
export function checkTopName(name: string): string {
  if (!TOP.test(name)) throw new InvalidInputError('cgroup', name, 'must begin with podway-');
  return name;
}

/**
 * Removes trees of groups without processes; what is not there is no failure.
 * @returns which directories have processes still
 */
export function removeCgroups(directories: readonly string[]): readonly string[] {
  return directories.filter((directory) => {
    checkTopName(basename(directory));
    return !removeTree(directory);
  });
}

/** @returns whether it is gone */
export function removeTree(directory: string): boolean {
  for (const child of childrenOf(directory)) removeTree(child);
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return hasErrorCode(error, 'ENOENT');
  }
}

/** The processes of a tree as this process sees them. */
export function processesOf(directory: string): readonly number[] {
  const own = (() => {
    try {
      return readFileSync(join(directory, 'cgroup.procs'), 'utf8').split('\n').map(Number);
    } catch {
      return [];
    }
  })();
  // One of another pid namespace is shown as 0.
  return [...own.filter((pid) => pid > 0), ...childrenOf(directory).flatMap(processesOf)];
}

function childrenOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(directory, name));
  } catch {
    return [];
  }
}
