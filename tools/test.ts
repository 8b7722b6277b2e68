/**
 * Runs the tests, in four tiers by file name:
 *   pure       packages/**\/*.test.ts          no privileges, seconds
 *   kernel     packages/**\/*.kernel.test.ts   real Linux networking, each file in namespaces of its own
 *   scenarios  test/scenarios/*.test.ts        whole labs
 *   ipvs       **\/*.ipvs.test.ts              what needs ip_vs: on this kernel, or in virtual machines (test/vm)
 *
 *   node tools/test.ts [--help] [--jobs=N] [--results=FILE] [pure|kernel|scenarios|ipvs …] [FILE …]
 *
 * Every skipped test is listed with its reason at the end; the last line counts everything.
 */
import { appendFileSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { errorMessage, InvalidInputError } from '#runtime';
import { runJob, type TestResult } from './run-job.ts';
import { type Job, jobsFor, root, TIERS, type Tier, tierOf } from './test-jobs.ts';

const JOBS = availableParallelism();

const HELP = `usage: podway test [--jobs N] [pure|kernel|scenarios|ipvs …] [FILE …]

  pure       rules, codecs and plans; no privileges, seconds
  kernel     real Linux networking, each file in namespaces of its own
  scenarios  whole labs, from the outside
  ipvs       what needs ip_vs: on this kernel if it has that, else in virtual machines

Without arguments every tier runs. Skipped tests are listed with their reasons.

  --jobs N        run so many files at a time instead of ${JOBS}, as many as there are processors
  --results FILE  append a line of JSON for each test, instead of the summary
`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      jobs: { type: 'string', default: String(JOBS) },
      results: { type: 'string' },
    },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const atATime = Number(values.jobs);
  if (!(Number.isInteger(atATime) && atATime > 0))
    throw new InvalidInputError('--jobs', values.jobs, 'must be a whole number above 0');
  const tiers = positionals.filter((arg): arg is Tier => (TIERS as readonly string[]).includes(arg));
  const named = positionals.filter((arg) => !(TIERS as readonly string[]).includes(arg));
  const all = globSync(['packages/**/*.test.ts', 'test/scenarios/**/*.test.ts', 'tools/*.test.ts'], {
    cwd: root,
  }).sort();
  const files =
    named.length > 0 ? named : all.filter((file) => tiers.length === 0 || tiers.includes(tierOf(file)));
  if (files.length === 0) throw new InvalidInputError('tests', positionals.join(' '), 'no file matches');
  const results: TestResult[] = [];
  await runAll(files, atATime, (some) => {
    results.push(...some);
    if (values.results !== undefined)
      appendFileSync(values.results, some.map((result) => `${JSON.stringify(result)}\n`).join(''));
  });
  if (values.results === undefined) printSummary(results);
  return results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

/**
 * Takes the jobs in turn, so many at a time; before them those that want to be alone, and beside them those that only wait. A virtual machine
 * computes all the time on one processor: there is one at a time as long as there are other jobs, so that those have a processor to themselves.
 */
async function runAll(
  files: readonly string[],
  atATime: number,
  report: (results: readonly TestResult[]) => void,
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'podway-test-'));
  try {
    const { jobs, skipped } = await jobsFor(files);
    const live = jobs.length === 1;
    const alone = jobs.filter((job) => job.alone);
    const waiting = jobs.filter((job) => job.waits);
    const others = jobs.filter((job) => !job.alone && !job.waits);
    const machines = others.filter((job) => job.inMachine);
    const here = others.filter((job) => !job.inMachine);
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => [alone, waiting, machines, here].map((jobs) => jobs.splice(0)));
    /** The second queue when the first is empty. */
    const lane = async (first: Job[], second: Job[] = []) => {
      for (;;) {
        const job = first.shift() ?? second.shift();
        if (job === undefined) return;
        report(await runJob(job, { scratch, live }));
      }
    };
    await lane(alone);
    await Promise.all([
      lane(waiting),
      lane(machines, here),
      ...Array.from({ length: atATime - 1 }, () => lane(here, machines)),
    ]);
    for (const [file, reason] of skipped) report([{ file, name: 'every test', outcome: 'skipped', reason }]);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function printSummary(results: readonly TestResult[]): void {
  const of = (outcome: TestResult['outcome']) => results.filter((result) => result.outcome === outcome);
  for (const [title, list] of [
    ['Skipped', of('skipped')],
    ['Failed', of('failed')],
  ] as const) {
    if (list.length === 0) continue;
    process.stdout.write(`\n${title}:\n`);
    for (const { file, name, reason } of list)
      process.stdout.write(`  ${file}: ${name}${reason === undefined ? '' : `\n      ${reason}`}\n`);
  }
  process.stdout.write(
    `\n${of('passed').length} passed, ${of('failed').length} failed, ${of('skipped').length} skipped\n`,
  );
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${errorMessage(error)}\n`);
  process.exitCode = 1;
}
