import { accessSync, constants, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Hierarchies } from './hierarchies.ts';
import { CONTROLLERS, type Controller } from './ports.ts';

/** Where a tree of groups can be made. */
export interface Place {
  readonly version: 1 | 2;
  /** The directory to make it in, for each controller that can be had: all the same one for version 2. */
  readonly parents: ReadonlyMap<Controller, string>;
  readonly obstacle: string | undefined;
}

const NOTHING: ReadonlyMap<Controller, string> = new Map();

/** Finds the directories that this process may make groups in, as near to its own as can be. */
export function findPlace(hierarchies: Hierarchies): Place {
  switch (hierarchies.version) {
    case undefined:
      return { version: 2, parents: NOTHING, obstacle: 'this machine shows no control groups here' };
    case 1:
      return placeInV1(hierarchies.own);
    case 2:
      return placeInV2(hierarchies.mount, hierarchies.own);
  }
}

function placeInV1(own: ReadonlyMap<Controller, string>): Place {
  const parents = new Map([...own].filter(([, directory]) => isWritable(directory)));
  if (parents.size === 0)
    return {
      version: 1,
      parents,
      obstacle: 'this machine has control groups of version 1, which only root can make',
    };
  return { version: 1, parents, obstacle: missing(parents) };
}

/**
 * A group with processes can have no children with limits, so this process's own group is not the place: the nearest
 * one above it that hands controllers down is, where this user may write to it and move processes below it.
 */
function placeInV2(mount: string, own: string): Place {
  let best: ReadonlyMap<Controller, string> = NOTHING;
  for (let directory = own; ; directory = dirname(directory)) {
    if (['.', 'cgroup.procs', 'cgroup.subtree_control'].every((file) => isWritable(join(directory, file)))) {
      const given = readWords(join(directory, 'cgroup.subtree_control'));
      const parents = new Map(
        CONTROLLERS.filter((controller) => given.includes(controller)).map(
          (controller) => [controller, directory] as const,
        ),
      );
      if (parents.size > best.size) best = parents;
    }
    if (directory === mount || directory.length <= mount.length) break;
  }
  if (best.size === 0)
    return {
      version: 2,
      parents: best,
      obstacle:
        'no control group above this process is this user’s to divide; to have one, start with: systemd-run --user --scope -p Delegate=yes podway lab up',
    };
  return { version: 2, parents: best, obstacle: missing(best) };
}

function missing(parents: ReadonlyMap<Controller, string>): string | undefined {
  const without = CONTROLLERS.filter((controller) => !parents.has(controller));
  return without.length === 0
    ? undefined
    : `the control groups of this machine do not offer ${without.join(' and ')} here`;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readWords(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').trim().split(/\s+/);
  } catch {
    return [];
  }
}
