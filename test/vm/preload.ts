import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SOURCE = join(import.meta.dirname, 'preload.c');
const COMPILERS = ['tcc', 'cc'];

/**
 * Makes the library that gives the machine its time and its end, `preload.c`, in a directory, in some milliseconds.
 * @returns its path; undefined where there is no C compiler: the machine's time is the host's then, and killed, it leaves processes
 */
export async function preloadLibrary(directory: string): Promise<string | undefined> {
  const library = join(directory, 'preload.so');
  for (const compiler of COMPILERS)
    try {
      await promisify(execFile)(compiler, ['-shared', '-fPIC', '-nostdlib', '-o', library, SOURCE]);
      return library;
    } catch {}
  return undefined;
}
