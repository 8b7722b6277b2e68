/**
 * Bundles the program into dist/: one entry, one chunk for each job that is imported dynamically, so that a lab's
 * processes load their own code only; and a file for each thread. (Stripping types at run time costs each process 18 MB and 35 ms.)
 *
 * Compiles the CNI executable too, where there is a C compiler.
 *
 *   node tools/build.ts
 *
 * Files are replaced one by one and old chunks stay for a day: a running lab may still have to load one.
 */
import { mkdirSync, readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { compileClient } from '../packages/cni/client/compile.ts';
import { bundle } from './bundle.ts';

const dist = resolve(import.meta.dirname, '../dist');
const OLD_CHUNK_MS = 24 * 3600_000;

const started = Date.now();
// Where there is no C compiler a script serves in its place; the agent says so.
const client = compileClient();
const outputFiles = await bundle({ podway: 'packages/cli/main.ts' }, dist);

await client;

mkdirSync(dist, { recursive: true });
// The entry last: whoever starts in between finds the chunks it names.
const outputs = outputFiles.toSorted((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)));
for (const { path, contents } of outputs) {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, contents);
  renameSync(temporary, path);
}
const written = new Set(outputs.map(({ path }) => basename(path)));
for (const name of readdirSync(dist)) {
  const path = join(dist, name);
  if (!written.has(name) && name !== '.built' && isOlderThan(path, started - OLD_CHUNK_MS)) rmSync(path);
}
// Dated by the start: a source saved during the build makes the next command build again.
const stamp = join(dist, '.built');
writeFileSync(stamp, '');
utimesSync(stamp, started / 1000, started / 1000);

function isEntry(path: string): boolean {
  return basename(path).startsWith('podway.js');
}

/** Another build may have removed it meanwhile. */
function isOlderThan(path: string, time: number): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) < time;
}
