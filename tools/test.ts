/**
 * Runs the tests, in three tiers by file name:
 *   pure       packages/**\/*.test.ts          no privileges, seconds
 *   kernel     packages/**\/*.kernel.test.ts   real Linux networking, each file in namespaces of its own
 *   scenarios  test/scenarios/*.test.ts        whole labs
 *
 *   node tools/test.ts [--help] [pure|kernel|scenarios …] [FILE …]
 *
 * Every skipped test is listed with its reason at the end; the last line counts everything.
 */
import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const TIERS = ['pure', 'kernel', 'scenarios'] as const;
type Tier = (typeof TIERS)[number];

/** A test file's own network, mount and PID namespaces with a private /run: nothing it makes can outlive it or reach the host. */
const SANDBOX = [
  'unshare',
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ...['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
  ...['sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sandbox'],
];

/** A run that hangs (a handle left open, say) is ended, and fails. Milliseconds. */
const JOB_LIMIT_MS = 20 * 60_000;

interface Job {
  readonly name: string;
  readonly command: readonly string[];
  readonly files: readonly string[];
  readonly concurrency: number;
}

export interface TestResult {
  readonly file: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
}

const root = resolve(import.meta.dirname, '..');

function tierOf(file: string): Tier {
  if (file.startsWith('test/scenarios/')) return 'scenarios';
  return file.endsWith('.kernel.test.ts') ? 'kernel' : 'pure';
}

function jobsFor(files: readonly string[]): readonly Job[] {
  const inTier = (tier: Tier) => files.filter((file) => tierOf(file) === tier);
  const pure = inTier('pure');
  return [
    ...(pure.length > 0
      ? [{ name: 'pure', command: [], files: pure, concurrency: availableParallelism() }]
      : []),
    ...inTier('kernel').map((file) => ({ name: file, command: SANDBOX, files: [file], concurrency: 1 })),
    ...inTier('scenarios').map((file) => ({ name: file, command: [], files: [file], concurrency: 1 })),
  ];
}

/** Runs one `node --test` and resolves with its results; a run that dies without any is itself a failure. */
async function runJob(job: Job, scratch: string): Promise<readonly TestResult[]> {
  const report = join(scratch, `${job.name.replaceAll('/', '_')}.jsonl`);
  const args = [
    ...job.command,
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${job.concurrency}`,
    '--test-timeout=180000',
    `--test-reporter=${process.stdout.isTTY ? 'spec' : join(root, 'tools/quiet-reporter.ts')}`,
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'tools/result-reporter.ts')}`,
    `--test-reporter-destination=${report}`,
    ...job.files,
  ];
  const [command = '', ...rest] = args;
  const started = performance.now();
  // A process group of its own, so that the whole run can be ended.
  const child = spawn(command, rest, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], detached: true });
  const end = (signal: NodeJS.Signals) => child.pid !== undefined && process.kill(-child.pid, signal);
  const interrupt = () => end('SIGINT');
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const limit = setTimeout(() => {
    process.stdout.write(`${job.name}: not finished after ${JOB_LIMIT_MS / 60_000} minutes, ended\n`);
    end('SIGKILL');
  }, JOB_LIMIT_MS);
  const code = await new Promise<number>((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) => done(status ?? 1));
  });
  clearTimeout(limit);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  const results = readResults(report);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const failed = results.filter((result) => result.outcome === 'failed').length;
  process.stdout.write(
    `${failed > 0 || code !== 0 ? 'FAIL' : 'ok  '} ${job.name} (${results.length} tests, ${seconds} s)\n`,
  );
  if (code !== 0 && failed === 0)
    return [
      ...results,
      { file: job.name, name: `the test run ended with status ${code}`, outcome: 'failed' },
    ];
  if (results.length === 0) return [{ file: job.name, name: 'no test ran', outcome: 'failed' }];
  return results;
}

function readResults(report: string): readonly TestResult[] {
  try {
    return readFileSync(report, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): TestResult => JSON.parse(line));
  } catch {
    return [];
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(
      'usage: podway test [pure|kernel|scenarios …] [FILE …]\n\n' +
        '  pure       rules, codecs and plans; no privileges, seconds\n' +
        '  kernel     real Linux networking, each file in namespaces of its own\n' +
        '  scenarios  whole labs, from the outside\n\n' +
        'Without arguments every tier runs. Skipped tests are listed with their reasons.\n',
    );
    return 0;
  }
  const tiers = args.filter((arg): arg is Tier => (TIERS as readonly string[]).includes(arg));
  const named = args.filter((arg) => !(TIERS as readonly string[]).includes(arg));
  const all = globSync(['packages/**/*.test.ts', 'test/scenarios/**/*.test.ts', 'tools/*.test.ts'], {
    cwd: root,
  }).sort();
  const files =
    named.length > 0 ? named : all.filter((file) => tiers.length === 0 || tiers.includes(tierOf(file)));
  if (files.length === 0) {
    process.stderr.write('no test file matches\n');
    return 1;
  }
  const scratch = mkdtempSync(join(tmpdir(), 'podway-test-'));
  const results: TestResult[] = [];
  try {
    for (const job of jobsFor(files)) results.push(...(await runJob(job, scratch)));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
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
  return of('failed').length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
