import { readFileSync } from 'node:fs';

/** For the relay's clients, two each, and all else that the agent opens. */
const RESERVED = 1024;

/**
 * The file descriptors of this process (RLIMIT_NOFILE, proc_pid_limits(5)) that sockets of frontends may be: the lowest, all but a quarter,
 * or all but {@link RESERVED} of many. With none left nobody is served, and the agent reaches neither its API server nor the kernel.
 */
export function frontendDescriptors(limits = readFileSync('/proc/self/limits', 'utf8')): number {
  const limit = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return limit - Math.min(RESERVED, Math.ceil(limit / 4));
}
