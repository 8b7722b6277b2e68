import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { type Cgroups, openCgroups, removeCgroups } from '#cgroup';
import type { Logger } from '#runtime';
import type { LabPaths } from './paths.ts';
import { type LabCgroups, readRecord, writeRecord } from './records.ts';

/**
 * Opens the tree that Pods' limits are in, without what an earlier life of the lab left there. Where it is, is stored
 * first: control groups do not end with the lab's namespaces.
 */
export function openLabCgroups(paths: LabPaths, logger: Logger): Cgroups {
  removeLabCgroups(paths);
  const cgroups = openCgroups(topName(paths.directory));
  writeRecord<LabCgroups>(paths.cgroups, { directories: cgroups.directories });
  if (cgroups.obstacle !== undefined)
    logger.info('not all resource limits of Pods are enforced', { why: cgroups.obstacle });
  return cgroups;
}

/** Removes the control groups of a lab whose processes have ended. */
export function removeLabCgroups(paths: LabPaths): void {
  removeCgroups(readRecord<LabCgroups>(paths.cgroups)?.directories ?? []);
}

/** Labs of one name may run side by side, each below a state directory of its own. */
function topName(directory: string): string {
  const digest = createHash('sha256').update(directory).digest('hex').slice(0, 8);
  return `podway-${basename(directory)}-${digest}`;
}
