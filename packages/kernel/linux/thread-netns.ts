import { fstatSync, openSync } from 'node:fs';
import { InvalidInputError } from '#runtime';
import { check, lastErrno, libc } from './libc.ts';

const CLONE_NEWNET = 0x40000000;

/** The namespaces this thread has entered, innermost last: file descriptors. The first is where the thread lives. */
const entered: number[] = [];
/** Of the namespace where the thread lives. */
let homeInode = 0;

/** Remembers the way back; the file descriptor stays open. */
function homeNetns(): number {
  if (entered.length === 0) {
    const home = openSync('/proc/thread-self/ns/net', 'r');
    homeInode = fstatSync(home).ino;
    entered.push(home);
  }
  return entered[0] ?? -1;
}

/**
 * Runs `section` with the calling thread in the namespace behind `fd` and comes back. Nothing else can run on the
 * thread meanwhile, as the section is synchronous; other threads (the pool that does file and DNS work) stay outside.
 * A thread that cannot come back would do everything after in the wrong place: then the process ends. `fd` stays open meanwhile;
 * inside a section of the same one, or at home in it, there is nothing to enter.
 * @param inode of the namespace
 * @throws InvalidInputError when the section returns a promise: what it awaits would run outside
 */
export function insideNetns<T>(fd: number, inode: number, section: () => T): T {
  homeNetns();
  const isHere = entered.length > 1 ? entered.at(-1) === fd : inode === homeInode;
  if (isHere) return synchronous(section);
  check(libc().setns(fd, CLONE_NEWNET), 'enter', `network namespace fd ${fd}`);
  entered.push(fd);
  try {
    return synchronous(section);
  } finally {
    leave();
  }
}

function synchronous<T>(section: () => T): T {
  const result = section();
  if (result instanceof Promise)
    throw new InvalidInputError('section', 'a promise', 'what runs inside a namespace is synchronous');
  return result;
}

/** Runs `section` in a namespace made for it. */
export function insideNewNetns<T>(section: () => T): T {
  const home = homeNetns();
  check(libc().unshare(CLONE_NEWNET), 'create', 'network namespace');
  entered.push(home);
  try {
    return section();
  } finally {
    leave();
  }
}

function leave(): void {
  entered.pop();
  const back = entered.at(-1);
  if (back !== undefined && libc().setns(back, CLONE_NEWNET) === 0) return;
  process.stderr.write(`fatal: cannot leave a network namespace: ${lastErrno()}\n`);
  process.abort();
}
