import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

/** Kept beside the sources, under a name that changes with them. */
const CACHE = resolve(import.meta.dirname, '../../../.cache');
const SOURCE = join(import.meta.dirname, 'podway-cni.c');
const HEADER = join(import.meta.dirname, 'system.h');
/** No C library: its start takes longer than all the client does (see system.h). */
const FLAGS = ['-Os', '-static', '-s', '-nostdlib', '-ffreestanding', '-fno-stack-protector'];

/** The compiled client of this version, undefined when nobody has compiled it: a script serves then, more slowly. */
export function compiledClient(): string | undefined {
  if (!existsSync(SOURCE)) return undefined;
  const path = clientPath();
  return existsSync(path) ? path : undefined;
}

/**
 * Compiles the client, if it is not there already; undefined where that cannot be done: no C compiler, a processor that
 * system.h does not know, a checkout that is not ours to write to.
 */
export async function compileClient(): Promise<string | undefined> {
  const path = clientPath();
  if (existsSync(path)) return path;
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(CACHE, { recursive: true });
    await promisify(execFile)('cc', [...FLAGS, '-o', temporary, SOURCE]);
    renameSync(temporary, path);
    return path;
  } catch {
    rmSync(temporary, { force: true });
    return undefined;
  }
}

function clientPath(): string {
  const hash = createHash('sha256');
  for (const part of [readFileSync(SOURCE), readFileSync(HEADER), FLAGS.join(' ')]) hash.update(part);
  const version = hash.digest('hex').slice(0, 12);
  return join(CACHE, `podway-cni-${process.arch}-${version}`);
}
