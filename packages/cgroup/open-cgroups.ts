import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, errorMessage, InvalidInputError, sleep, systemClock } from '#runtime';
import { CgroupError } from './errors.ts';
import { findHierarchies } from './hierarchies.ts';
import { v1Files, v2Files } from './limits.ts';
import { findPlace, type Place } from './place.ts';
import type { Cgroup, Cgroups, Controller, Limits } from './ports.ts';
import { checkTopName, processesOf, removeTree } from './remove-cgroups.ts';

/** How often and how long a group that is being left is tried again. Milliseconds. */
const RETRY_MS = 10;
const PATIENCE_MS = 2_000;

/**
 * The groups of this program; nothing is made before the first `create`.
 * @param name the top directory's: `podway-…`
 */
export function openCgroups(name: string, clock: Clock = systemClock): Cgroups {
  const hierarchies = findHierarchies(
    readFileSync('/proc/self/mountinfo', 'utf8'),
    readFileSync('/proc/self/cgroup', 'utf8'),
  );
  return cgroupsAt(findPlace(hierarchies), name, clock);
}

/** As {@link openCgroups}, at a place that is known. */
export function cgroupsAt(place: Place, name: string, clock: Clock): Cgroups {
  const top = checkTopName(name);
  const tops = new Map([...place.parents].map(([controller, parent]) => [controller, join(parent, top)]));
  const directories = [...new Set(tops.values())];
  return {
    enforced: new Set(tops.keys()),
    obstacle: place.obstacle,
    directories,
    create(path, limits) {
      for (const part of path)
        if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(part))
          throw new InvalidInputError('cgroup', part, 'must be one plain directory name');
      try {
        for (const directory of directories) makeDirectories(place, directory, path, [...tops.keys()]);
        writeLimits(place, tops, path, limits);
      } catch (cause) {
        throw new CgroupError(`cannot make a control group: ${errorMessage(cause)}`, { cause });
      }
      return group(
        directories.map((directory) => join(directory, ...path)),
        clock,
      );
    },
    async [Symbol.asyncDispose]() {
      for (const directory of directories) await removeWithin(directory, clock, true);
    },
  };
}

/** Makes a group and those above it; in version 2, those above must hand down the controllers. */
function makeDirectories(
  place: Place,
  top: string,
  path: readonly string[],
  controllers: readonly Controller[],
): void {
  for (let depth = 0; depth <= path.length; depth++) {
    const directory = join(top, ...path.slice(0, depth));
    if (!existsSync(directory)) mkdirSync(directory, { mode: 0o755 });
    if (place.version === 2 && depth < path.length)
      writeFileSync(
        join(directory, 'cgroup.subtree_control'),
        controllers.map((controller) => `+${controller}`).join(' '),
      );
  }
}

function writeLimits(
  place: Place,
  tops: ReadonlyMap<Controller, string>,
  path: readonly string[],
  limits: Limits,
): void {
  const files = place.version === 1 ? v1Files(limits) : v2Files(limits);
  for (const { controller, file, value, optional } of files) {
    const top = tops.get(controller);
    if (top === undefined) continue;
    const target = join(top, ...path, file);
    if (optional !== true || existsSync(target)) writeFileSync(target, value);
  }
}

function group(directories: readonly string[], clock: Clock): Cgroup {
  return {
    joinFiles: directories.map((directory) => join(directory, 'cgroup.procs')),
    oomKills: () =>
      Math.max(
        0,
        ...directories.flatMap((directory) =>
          ['memory.events', 'memory.oom_control'].map((file) => oomKillsIn(join(directory, file))),
        ),
      ),
    async remove() {
      for (const directory of directories) await removeWithin(directory, clock, false);
    },
  };
}

/** Both versions have a line `oom_kill N`: memory.events, and memory.oom_control since Linux 4.13. */
function oomKillsIn(path: string): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

async function removeWithin(directory: string, clock: Clock, kill: boolean): Promise<void> {
  for (let waited = 0; !removeTree(directory) && waited < PATIENCE_MS; waited += RETRY_MS) {
    if (kill) for (const pid of processesOf(directory)) killQuietly(pid);
    await sleep(clock, RETRY_MS);
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
