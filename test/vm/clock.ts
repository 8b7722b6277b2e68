import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SOURCE = join(import.meta.dirname, 'clock.c');
const COMPILERS = ['tcc', 'cc'];

/**
 * Makes the library that gives the machine its time, `clock.c`, in a directory, in some milliseconds.
 * @returns its path; undefined where there is no C compiler: the machine's time is the host's then
 */
export async function clockLibrary(directory: string): Promise<string | undefined> {
  const library = join(directory, 'clock.so');
  for (const compiler of COMPILERS)
    try {
      await promisify(execFile)(compiler, ['-shared', '-fPIC', '-nostdlib', '-o', library, SOURCE]);
      return library;
    } catch {}
  return undefined;
}
