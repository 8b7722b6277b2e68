/**
 * Runs a benchmark: `npm run bench -- NAME [-o json]`. Prints its figures and rows as tables, or all of it as one object
 * `{name, machine, figures, rows}`.
 */
import { readdirSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { Benchmark, Row } from './benchmark.ts';

const SUPPORT = ['main.ts', 'benchmark.ts'];
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !SUPPORT.includes(file))
  .map((file) => file.replace(/\.ts$/, ''));

const load = async (name: string): Promise<Benchmark> => (await import(`./${name}.ts`)).benchmark;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { output: { type: 'string', short: 'o' }, help: { type: 'boolean', short: 'h' } },
});
const [name = ''] = positionals;
if (values.help) {
  process.stdout.write('usage: npm run bench -- NAME [-o json]\n\n');
  for (const each of names) process.stdout.write(`  ${each.padEnd(14)} ${(await load(each)).about}\n`);
  process.exit();
}
if (!names.includes(name) || (values.output !== undefined && values.output !== 'json')) {
  process.stderr.write(`usage: npm run bench -- NAME [-o json]\nbenchmarks: ${names.join(', ')}\n`);
  process.exit(2);
}

const benchmark = await load(name);
const { figures, rows } = await benchmark.run({
  progress: (text) => void process.stderr.write(`${text}\n`),
});
const machine = {
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryMiB: Math.round(totalmem() / 2 ** 20),
  kernel: release(),
  node: process.version,
};
if (values.output === 'json') {
  process.stdout.write(`${JSON.stringify({ name, machine, figures, rows }, undefined, 2)}\n`);
} else {
  process.stdout.write(`${name}: ${benchmark.about}\n${Object.values(machine).join(', ')}\n\n`);
  process.stdout.write(table(Object.entries(figures).map(([figure, value]) => ({ figure, value }))));
  process.stdout.write(`\n${table(rows)}`);
}

function table(rows: readonly Row[]): string {
  const header = Object.keys(rows[0] ?? {});
  const lines = [header, ...rows.map((row) => header.map((key) => String(row[key] ?? '')))];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('');
}
