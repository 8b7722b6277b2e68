import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
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

/** Compiles the client, if it is not there already; undefined when there is no C compiler or it cannot link statically. */
export async function compileClient(): Promise<string | undefined> {
  const path = clientPath();
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  const temporary = `${path}.${process.pid}`;
  try {
    await promisify(execFile)('cc', ['-Os', '-static', '-s', '-o', temporary, SOURCE]);
  } catch {
    return undefined;
  }
  renameSync(temporary, path);
  return path;
}

function clientPath(): string {
  const version = createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 12);
  return join(CACHE, `podway-cni-${process.arch}-${version}`);
}
