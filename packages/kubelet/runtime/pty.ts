import { closeSync, constants, openSync } from 'node:fs';
import { systemCall } from './libc.ts';

/** ioctl numbers (include/uapi/asm-generic/ioctls.h). */
const TIOCSWINSZ = 0x5414;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;

/** A pseudo terminal. */
export interface Pty {
  readonly master: number;
  /** Handed to the child, then closed here. */
  readonly slave: number;
}

/**
 * Opens a pseudo terminal of a devpts instance.
 * @param multiplexer `/dev/ptmx`, or that of a container: `/proc/PID/root/dev/pts/ptmx`
 */
export function openPty(multiplexer: string): Pty {
  const master = openSync(multiplexer, constants.O_RDWR | constants.O_NOCTTY);
  try {
    systemCall('ioctl TIOCSPTLCK', (libc) => libc.ioctl(master, TIOCSPTLCK, new Uint8Array(4)));
    const flags = constants.O_RDWR | constants.O_NOCTTY;
    const slave = systemCall('ioctl TIOCGPTPEER', (libc) => libc.ioctl(master, TIOCGPTPEER, flags));
    return { master, slave };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Sets the size of a terminal (struct winsize), which sends SIGWINCH to its foreground processes. */
export function resizePty(master: number, size: TerminalSize): void {
  const winsize = new Uint16Array([size.rows, size.columns, 0, 0]);
  systemCall('ioctl TIOCSWINSZ', (libc) => libc.ioctl(master, TIOCSWINSZ, new Uint8Array(winsize.buffer)));
}
