import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { PodwayError } from '#runtime';

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

type Load = {
  load(path: null): { func(definition: string): unknown };
  errno(): number;
};

let loaded: { readonly libc: Libc; readonly errno: () => number } | undefined;

/** The C library's functions, declared at first use. */
function load() {
  if (loaded !== undefined) return loaded;
  const koffi = createRequire(import.meta.url)('koffi') as Load;
  const library = koffi.load(null);
  const libc = {
    pipe2: library.func('int pipe2(void *, int)'),
    ioctl: library.func('int ioctl(int, ulong, void *)'),
  } as Libc;
  loaded = { libc, errno: () => koffi.errno() };
  return loaded;
}

/** Calls one function and throws what errno says when it returns -1. @throws SystemCallError */
export function systemCall(name: string, call: (libc: Libc) => number): number {
  const { libc, errno } = load();
  const result = call(libc);
  if (result >= 0) return result;
  throw new SystemCallError(name, errnoName(errno()));
}

function errnoName(errno: number): string {
  const found = Object.entries(constants.errno).find(([, number]) => number === errno);
  return found === undefined ? `errno ${errno}` : found[0];
}
