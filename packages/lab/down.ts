import { existsSync, rmSync } from 'node:fs';
import { LabError } from './errors.ts';
import { removeLabCgroups } from './lab-cgroups.ts';
import { takeLabLock } from './lab-lock.ts';
import { type LabPaths, labPaths } from './paths.ts';
import { firstChildOf, signalProcess } from './process-identity.ts';
import { type LabInstance, readRecord } from './records.ts';

/** How long a lab may take to end its Pods before the kernel ends it. */
const GRACE_MS = 3_000;
const KILL_MS = 10_000;

/**
 * Ends a lab's processes, whichever are left, and removes its directory.
 * @returns false when there is no such lab
 * @throws LabError when its processes do not end, or another command is at work on it
 */
export function labDown(labs: string, name: string): boolean {
  const paths = labPaths(labs, name);
  if (!existsSync(paths.directory)) return false;
  using lock = takeLabLock(paths.lock, 0) ?? endProcesses(labs, name);
  removeCgroupsOf(paths);
  // The directory's last file is the lock: until it goes, no other command takes the name.
  rmSync(paths.directory, { recursive: true, force: true, maxRetries: 5 });
  void lock;
  return true;
}

function endProcesses(labs: string, name: string) {
  const paths = labPaths(labs, name);
  const holder = readInstance(paths.instance)?.holder;
  const init = holder === undefined ? undefined : firstChildOf(holder.pid);
  if (init !== undefined && holder !== undefined && signalProcess(init, 'SIGTERM')) {
    const lock = takeLabLock(paths.lock, GRACE_MS);
    if (lock !== undefined) return lock;
  }
  if (holder !== undefined) signalProcess(holder, 'SIGKILL');
  const lock = takeLabLock(paths.lock, KILL_MS);
  if (lock === undefined && existsSync(paths.directory))
    throw new LabError(
      `lab ${name} is still in use: another command is at work on it, try again when it has ended`,
    );
  return lock;
}

/** Nor a damaged record of these. */
function removeCgroupsOf(paths: LabPaths): void {
  try {
    removeLabCgroups(paths);
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
  }
}

/** A damaged record must not keep a lab from being removed. */
function readInstance(path: string): LabInstance | undefined {
  try {
    return readRecord<LabInstance>(path);
  } catch {
    return undefined;
  }
}
