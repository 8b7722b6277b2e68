import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where control group hierarchies are mounted: one, several (version 1), or both (hybrid). */
function hierarchies(): readonly string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path = '']) => path);
}

/** Why control groups cannot be made here; undefined when they can. */
export function whyNoControlGroups(name: string): string | undefined {
  const [first] = hierarchies();
  if (first === undefined) return 'no control group hierarchy is mounted';
  try {
    mkdirSync(join(first, name));
    rmdirSync(join(first, name));
    return undefined;
  } catch (error) {
    return `control groups cannot be made: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Removes the group of this name below each root, with the groups inside. They must have no processes. */
export function removeControlGroups(name: string): void {
  for (const hierarchy of hierarchies()) removeGroup(join(hierarchy, name));
}

function removeGroup(path: string): void {
  const entries = readdirOf(path);
  for (const entry of entries ?? []) if (entry.isDirectory()) removeGroup(join(path, entry.name));
  if (entries !== undefined) rmdirSync(path);
}

function readdirOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return undefined;
  }
}
