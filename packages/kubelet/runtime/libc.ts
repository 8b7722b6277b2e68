import { errnoName, libcCalls, PodwayError } from '#runtime';

/** A system call that Node has no function for failed. */
export class SystemCallError extends PodwayError {
  readonly code = 'SystemCall';
  /** errno name: `ECONNREFUSED`. */
  readonly errno: string;
  constructor(call: string, errno: string) {
    super(`${call}: ${errno}`);
    this.errno = errno;
  }
}

interface Libc {
  pipe2(fds: Int32Array, flags: number): number;
  ioctl(fd: number, request: number, argument: Uint8Array | number | null): number;
}

const load = libcCalls<Libc>({
  pipe2: 'int pipe2(void *, int)',
  ioctl: 'int ioctl(int, ulong, void *)',
});

/** Calls one function and throws what errno says when it returns -1. @throws SystemCallError */
export function systemCall(name: string, call: (libc: Libc) => number): number {
  const { koffi, calls } = load();
  const result = call(calls);
  if (result >= 0) return result;
  throw new SystemCallError(name, errnoName(koffi.errno()));
}
