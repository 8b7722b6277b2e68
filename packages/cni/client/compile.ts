import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** Kept beside the sources, under a name that changes with them. */
const CACHE = resolve(import.meta.dirname, '../../../.cache');
const SOURCE = join(import.meta.dirname, 'podway-cni.c');

/** The compiled client of this version, undefined when nobody has compiled it: a script serves then, more slowly. */
export function compiledClient(): string | undefined {
  if (!existsSync(SOURCE)) return undefined;
  const path = clientPath();
  return existsSync(path) ? path : undefined;
}

/**
 * Compiles the client, if it is not there already; undefined where that cannot be done: no C compiler, no static libc,
 * a checkout that is not ours to write to.
 */
export async function compileClient(): Promise<string | undefined> {
  const path = clientPath();
  if (existsSync(path)) return path;
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    await promisify(execFile)('cc', ['-Os', '-static', '-s', '-o', temporary, SOURCE]);
    renameSync(temporary, path);
    return path;
  } catch {
    rmSync(temporary, { force: true });
    return undefined;
  }
}

function clientPath(): string {
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  return join(CACHE, `podway-cni-${process.arch}-${version}`);
}
