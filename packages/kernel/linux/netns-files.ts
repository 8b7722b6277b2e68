import { closeSync, mkdirSync, openSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoName } from '#runtime';
import { KernelError } from '../errors.ts';
import { check, lastErrno, libc } from './libc.ts';

const MS_BIND = 0x1000;
const MNT_DETACH = 2;
/** f_type of nsfs (include/uapi/linux/magic.h). */
const NSFS_MAGIC = 0x6e736673;

/** Keeps the namespace behind `fd` alive under a path, as `ip netns add` does. @throws KernelError `EEXIST` */
export function pinNetns(fd: number, path: string): void {
  const operation = 'pin network namespace';
  wrapFileErrors(operation, path, () => mkdirSync(dirname(path), { recursive: true, mode: 0o755 }));
  if (isNetnsFile(path))
    throw new KernelError({
      errno: 'EEXIST',
      operation,
      object: path,
      detail: 'a namespace is pinned there',
    });
  wrapFileErrors(operation, path, () => closeSync(openSync(path, 'a', 0o444)));
  if (libc().mount(`/proc/thread-self/fd/${fd}`, path, null, MS_BIND, null) === 0) return;
  const errno = lastErrno();
  rmSync(path, { force: true });
  throw new KernelError({ errno, operation, object: path });
}

/**
 * Unmounts and removes the path; nothing there is not an error. Removing the file also takes away the mounts that
 * other mount namespaces inherited, which would keep the namespace alive.
 */
export function unpinNetns(path: string): void {
  const operation = 'unpin network namespace';
  while (isNetnsFile(path)) check(libc().umount2(path, MNT_DETACH), operation, path);
  wrapFileErrors(operation, path, () => rmSync(path, { force: true }));
}

/** @throws KernelError `EINVAL` when the file is not a namespace */
export function openNetnsFile(path: string): number {
  const operation = 'open network namespace';
  const fd = wrapFileErrors(operation, path, () => openSync(path, 'r'));
  if (statfsSync(`/proc/self/fd/${fd}`).type === NSFS_MAGIC) return fd;
  closeSync(fd);
  throw new KernelError({ errno: 'EINVAL', operation, object: path, detail: 'not a namespace' });
}

function isNetnsFile(path: string): boolean {
  try {
    return statfsSync(path).type === NSFS_MAGIC;
  } catch {
    return false;
  }
}

/** Turns what node:fs throws into a KernelError. */
export function wrapFileErrors<T>(operation: string, object: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : 0;
    throw new KernelError({ errno: errnoName(errno), operation, object }, { cause: error });
  }
}
