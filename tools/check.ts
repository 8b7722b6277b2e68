/** The gate before tests: types, lint and format, import boundaries, dead code. Runs all, then fails if any failed. */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const bin = (name: string) => join(root, 'node_modules/.bin', name);

const CHECKS: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['types', bin('tsc'), ['-p', '.']],
  ['lint and format', bin('biome'), ['check', '.']],
  ['boundaries', process.execPath, ['--disable-warning=ExperimentalWarning', 'tools/boundaries.ts']],
  ['dead code', bin('knip'), ['--no-progress']],
];

const failed = CHECKS.filter(([name, command, args]) => {
  const started = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  process.stdout.write(
    `${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`,
  );
  return status !== 0;
});
process.exitCode = failed.length === 0 ? 0 : 1;
