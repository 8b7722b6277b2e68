import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { hasErrorCode } from '#runtime';
import { LabError } from './errors.ts';

/**
 * A lab's lock: flock(2) on a file in its directory. The descriptor is handed down to the lab's own processes, and the
 * kernel frees the lock with the last of them, so that a free lock means: no process of the lab is left.
 */
export interface LabLock extends Disposable {
  readonly fd: number;
}

/**
 * Takes the lock, waiting at most `waitMs`.
 * @returns undefined when another process still holds it then, or when the lab's directory is not there (any more)
 */
export function takeLabLock(path: string, waitMs: number): LabLock | undefined {
  for (;;) {
    let fd: number;
    try {
      fd = openSync(path, 'a', 0o600);
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return undefined;
      throw error;
    }
    const lock = { fd, [Symbol.dispose]: () => closeSync(fd) };
    if (!flock(fd, waitMs)) {
      lock[Symbol.dispose]();
      return undefined;
    }
    // Between open and lock the lab may have been removed, and even made again.
    if (statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return lock;
    lock[Symbol.dispose]();
  }
}

export function isLabLocked(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
  const lock = takeLabLock(path, 0);
  lock?.[Symbol.dispose]();
  return lock === undefined;
}

/** flock(1) locks the description that this process shares with it, and leaves it locked. */
function flock(fd: number, waitMs: number): boolean {
  const wait = waitMs === 0 ? ['--nonblock'] : ['--wait', String(waitMs / 1000)];
  const { status, error } = spawnSync('flock', [...wait, '--exclusive', '3'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  });
  if (error !== undefined) throw new LabError('cannot run flock: install util-linux', { cause: error });
  return status === 0;
}
