/**
 * Runs the tests, in four tiers by file name:
 *   pure       packages/**\/*.test.ts          no privileges, seconds
 *   kernel     packages/**\/*.kernel.test.ts   real Linux networking, each file in namespaces of its own
 *   scenarios  test/scenarios/*.test.ts        whole labs
 *   ipvs       **\/*.ipvs.test.ts              what needs ip_vs: on this kernel, or in a virtual machine (test/vm)
 *
 *   node tools/test.ts [--help] [--results=FILE] [pure|kernel|scenarios|ipvs …] [FILE …]
 *
 * Every skipped test is listed with its reason at the end; the last line counts everything.
 */
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { linuxKernel } from '#kernel';
import { errorMessage } from '#runtime';
import { vmFiles } from '../test/vm/files.ts';

const TIERS = ['pure', 'kernel', 'scenarios', 'ipvs'] as const;
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

/** Whether this is a run inside the virtual machine, which is slow. */
const inVm = process.env['PODWAY_TEST_VM'] !== undefined;
const TEST_TIMEOUT_MS = (inVm ? 3 : 1) * 180_000;

interface Job {
  readonly name: string;
  /** Runs tests and writes a line a test to the file. */
  readonly command: (report: string) => readonly string[];
  /** Runs in the virtual machine, which has one processor and disturbs nobody's namespaces. */
  readonly isVirtual?: true;
}

export interface TestResult {
  readonly file: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
}

const root = resolve(import.meta.dirname, '..');

function tierOf(file: string): Tier {
  if (file.endsWith('.ipvs.test.ts')) return 'ipvs';
  if (isScenario(file)) return 'scenarios';
  return file.endsWith('.kernel.test.ts') ? 'kernel' : 'pure';
}

const isScenario = (file: string) => file.startsWith('test/scenarios/');

function jobsFor(files: readonly string[]): readonly Job[] {
  const inTier = (tier: Tier) => files.filter((file) => tierOf(file) === tier);
  const pure = inTier('pure');
  return [
    ...(pure.length > 0
      ? [{ name: 'pure', command: (report: string) => nodeTest(report, pure, availableParallelism()) }]
      : []),
    ...inTier('kernel').map(inSandbox),
    ...inTier('scenarios').map(onHost),
  ];
}

const onHost = (file: string): Job => ({ name: file, command: (report) => nodeTest(report, [file]) });
const inSandbox = (file: string): Job => ({
  name: file,
  command: (report) => [...SANDBOX, ...nodeTest(report, [file])],
});

function nodeTest(report: string, files: readonly string[], concurrency = 1): readonly string[] {
  return [
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    '--test',
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    `--test-reporter=${process.stdout.isTTY ? 'spec' : join(root, 'tools/quiet-reporter.ts')}`,
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'tools/result-reporter.ts')}`,
    `--test-reporter-destination=${report}`,
    ...files,
  ];
}

/**
 * The tests that need ip_vs: on this kernel when it has that, else all in one boot of the virtual machine, by this program
 * again. A machine that cannot be set up skips them.
 */
async function ipvsJobs(files: readonly string[]): Promise<readonly Job[] | { readonly skip: string }> {
  if (files.length === 0) return [];
  if (hasIpvs()) return files.map((file) => (isScenario(file) ? onHost : inSandbox)(file));
  if (inVm) return { skip: "the virtual machine's kernel has no ip_vs" };
  try {
    await vmFiles();
  } catch (error) {
    return {
      skip: `this kernel has no ip_vs for us, and no virtual machine could be set up: ${errorMessage(error)}`,
    };
  }
  // The labs inside run what is built here.
  if (files.some(isScenario))
    spawnSync(join(root, 'podway'), ['version'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const node = [process.execPath, '--disable-warning=ExperimentalWarning'];
  const command = (report: string) => [
    ...[...node, join(root, 'test/vm/run.ts'), '--'],
    ...[...node, join(root, 'tools/test.ts'), `--results=${report}`, ...files],
  ];
  return [{ name: 'ipvs, in a virtual machine', command, isVirtual: true }];
}

function hasIpvs(): boolean {
  using netns = linuxKernel().currentNetns();
  return netns.ipvs.available();
}

/** Runs a job and resolves with its results; a run that dies without any is itself a failure. */
async function runJob(job: Job, scratch: string): Promise<readonly TestResult[]> {
  const report = join(scratch, `${job.name.replaceAll('/', '_')}.jsonl`);
  const [command = '', ...rest] = job.command(report);
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

const RESULTS = '--results=';

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    process.stdout.write(
      'usage: podway test [pure|kernel|scenarios|ipvs …] [FILE …]\n\n' +
        '  pure       rules, codecs and plans; no privileges, seconds\n' +
        '  kernel     real Linux networking, each file in namespaces of its own\n' +
        '  scenarios  whole labs, from the outside\n' +
        '  ipvs       what needs ip_vs: on this kernel if it has that, else in a virtual machine\n\n' +
        'Without arguments every tier runs. Skipped tests are listed with their reasons.\n',
    );
    return 0;
  }
  const resultsFile = args.find((arg) => arg.startsWith(RESULTS))?.slice(RESULTS.length);
  const words = args.filter((arg) => !arg.startsWith(RESULTS));
  const tiers = words.filter((arg): arg is Tier => (TIERS as readonly string[]).includes(arg));
  const named = words.filter((arg) => !(TIERS as readonly string[]).includes(arg));
  const all = globSync(['packages/**/*.test.ts', 'test/scenarios/**/*.test.ts', 'tools/*.test.ts'], {
    cwd: root,
  }).sort();
  const files =
    named.length > 0 ? named : all.filter((file) => tiers.length === 0 || tiers.includes(tierOf(file)));
  if (files.length === 0) {
    process.stderr.write('no test file matches\n');
    return 1;
  }
  const results: TestResult[] = [];
  await runAll(files, (some) => {
    results.push(...some);
    if (resultsFile !== undefined)
      appendFileSync(resultsFile, some.map((result) => `${JSON.stringify(result)}\n`).join(''));
  });
  if (resultsFile === undefined) printSummary(results);
  return results.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

/** One job after the other, and beside them, on another processor, those of the virtual machine. */
async function runAll(
  files: readonly string[],
  report: (results: readonly TestResult[]) => void,
): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'podway-test-'));
  const inTurn = async (jobs: readonly Job[]) => {
    for (const job of jobs) report(await runJob(job, scratch));
  };
  try {
    const ipvsFiles = files.filter((file) => tierOf(file) === 'ipvs');
    const ipvs = await ipvsJobs(ipvsFiles);
    const others = jobsFor(files);
    if ('skip' in ipvs) {
      await inTurn(others);
      report(ipvsFiles.map((file) => ({ file, name: 'every test', outcome: 'skipped', reason: ipvs.skip })));
    } else if (ipvs.some(({ isVirtual }) => isVirtual) && availableParallelism() > 1)
      await Promise.all([inTurn(others), inTurn(ipvs)]);
    else await inTurn([...others, ...ipvs]);
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

process.exitCode = await main(process.argv.slice(2));
