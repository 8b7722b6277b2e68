import { openSync } from 'node:fs';
import { errorMessage } from '#runtime';
import { check, lastErrno, libc } from './libc.ts';

const CLONE_NEWNET = 0x40000000;

/** The namespaces this thread is in, innermost last: file descriptors. The first is where the thread lives. */
const entered: number[] = [];

/** A file descriptor of the namespace the thread lives in; stays open. */
export function homeNetns(): number {
  const home = entered[0] ?? openSync('/proc/thread-self/ns/net', 'r');
  if (entered.length === 0) entered.push(home);
  return home;
}

/**
 * Runs `section` with the calling thread in the namespace behind `fd` and comes back. Nothing else can run on the
 * thread meanwhile, as the section is synchronous; other threads (the pool that does file and DNS work) stay outside.
 * A thread that cannot come back would do everything after in the wrong place: then the process ends.
 */
export function insideNetns<T>(fd: number, section: () => T): T {
  homeNetns();
  check(libc().setns(fd, CLONE_NEWNET), 'enter', `network namespace fd ${fd}`);
  entered.push(fd);
  try {
    return section();
  } finally {
    leave();
  }
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
  process.stderr.write(`fatal: cannot leave a network namespace: ${errorMessage(lastErrno())}\n`);
  process.abort();
}
