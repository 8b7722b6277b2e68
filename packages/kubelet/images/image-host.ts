import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { whichOnHost } from './resolve.ts';
import type { ImageHost } from './table.ts';

/** What the image table must know of the machine. */
export async function imageHost(): Promise<ImageHost> {
  return { singleUser: isSingleUser(), busyboxApplets: await busyboxApplets() };
}

/** Whether only one user exists here: one line of user_namespaces(7) that maps one user. */
export function isSingleUser(uidMap = readFileSync('/proc/self/uid_map', 'utf8')): boolean {
  const lines = uidMap.trim().split('\n');
  return lines.length === 1 && lines[0]?.trim().split(/\s+/)[2] === '1';
}

/** What the host's busybox, if there is one, can do that the host has no command for. */
async function busyboxApplets(): Promise<readonly string[]> {
  const busybox = whichOnHost('busybox');
  if (busybox === undefined) return [];
  const { stdout } = await promisify(execFile)(busybox, ['--list']);
  return stdout
    .trim()
    .split('\n')
    .filter((name) => whichOnHost(name) === undefined);
}
