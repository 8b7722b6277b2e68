import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { VolumeFile } from '../plan/volumes.ts';

/** The link to the files of the moment. */
const DATA = '..data';

/**
 * Makes a directory hold exactly these files, all changed at one moment: readers follow `NAME -> ..data/NAME`, and `..data`
 * is a link that is replaced as a whole. Source: pkg/volume/util/atomic_writer.go.
 * @param version a name that no earlier write to this directory had
 * @returns whether anything changed
 */
export function writeFilesAtomically(dir: string, files: readonly VolumeFile[], version: string): boolean {
  mkdirSync(dir, { recursive: true });
  const old = currentVersion(dir);
  if (old !== undefined && holds(join(dir, old), files)) return false;
  const next = `..${version}`;
  mkdirSync(join(dir, next));
  for (const file of files) {
    const target = join(dir, next, file.path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, file.content);
    chmodSync(target, file.mode);
  }
  const link = join(dir, '..data_tmp');
  rmSync(link, { force: true });
  symlinkSync(next, link);
  renameSync(link, join(dir, DATA));
  const names = new Set(files.map(({ path }) => path.split('/')[0] ?? ''));
  const present = readdirSync(dir).filter((name) => !name.startsWith('..'));
  for (const name of names) if (!present.includes(name)) symlinkSync(`${DATA}/${name}`, join(dir, name));
  for (const name of present) if (!names.has(name)) rmSync(join(dir, name));
  if (old !== undefined) rmSync(join(dir, old), { recursive: true, force: true });
  return true;
}

function currentVersion(dir: string): string | undefined {
  try {
    return readlinkSync(join(dir, DATA));
  } catch {
    return undefined;
  }
}

function holds(dir: string, files: readonly VolumeFile[]): boolean {
  const present = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  ).length;
  return (
    present === files.length &&
    files.every(({ path, content }) => {
      try {
        return readFileSync(join(dir, path)).equals(content);
      } catch {
        return false;
      }
    })
  );
}
