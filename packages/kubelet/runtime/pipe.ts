import { systemCall } from './libc.ts';

/** O_CLOEXEC (include/uapi/asm-generic/fcntl.h). */
const O_CLOEXEC = 0o2000000;

/** Both ends of a pipe, as file descriptors. */
export interface Pipe {
  readonly read: number;
  readonly write: number;
}

/**
 * Makes a pipe. Node's own `stdio: 'pipe'` is a socket, which a container cannot open again as /dev/stdout, as nginx
 * and shells do.
 */
export function makePipe(): Pipe {
  const fds = new Int32Array(2);
  systemCall('pipe2', (libc) => libc.pipe2(fds, O_CLOEXEC));
  const [read = -1, write = -1] = fds;
  return { read, write };
}
