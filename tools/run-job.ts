import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Job, root } from './test-jobs.ts';

export interface TestResult {
  readonly file: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly reason?: string;
}

export interface RunOptions {
  /** A directory for the run's own files. */
  readonly scratch: string;
  /** What the job prints is shown at once, not in one piece at its end. */
  readonly live: boolean;
}

/** A run that hangs (a handle left open, say) is ended, and fails; the longest takes two minutes. Milliseconds. */
const JOB_LIMIT_MS = 6 * 60_000;
/** How long what a run leaves behind may hold its output open after its end. Milliseconds. */
const OUTPUT_LIMIT_MS = 5000;
/** The exit status of test/vm/run.ts when the machine ended before its command did. */
const MACHINE_ENDED = 125;

interface Run {
  readonly results: readonly TestResult[];
  readonly code: number;
  /** Not finished in time. */
  readonly hung: boolean;
  /** By whoever started the tests. */
  readonly interrupted: boolean;
  readonly printed: Buffer;
}

/**
 * Runs a job and resolves with its results; a run that dies without any is itself a failure. A virtual machine that crashes or stands still says
 * nothing about what is tested: it is said, and there is a second one.
 */
export async function runJob(job: Job, options: RunOptions): Promise<readonly TestResult[]> {
  let run = await runOnce(job, options);
  if (job.inMachine && !run.interrupted && (run.code === MACHINE_ENDED || run.hung)) {
    process.stdout.write(run.printed);
    process.stdout.write(`${job.name}: the virtual machine was lost, so once more in another\n`);
    run = await runOnce(job, options);
  }
  process.stdout.write(run.printed);
  const { results, code } = run;
  if (code !== 0 && !results.some(({ outcome }) => outcome === 'failed'))
    return [
      ...results,
      { file: job.name, name: `the test run ended with status ${code}`, outcome: 'failed' },
    ];
  if (results.length === 0) return [{ file: job.name, name: 'no test ran', outcome: 'failed' }];
  return results;
}

async function runOnce(job: Job, { scratch, live }: RunOptions): Promise<Run> {
  const report = join(scratch, `${job.name.replaceAll('/', '_')}.jsonl`);
  rmSync(report, { force: true });
  const reporter = live && process.stdout.isTTY ? 'spec' : join(root, 'tools/quiet-reporter.ts');
  const [command = '', ...rest] = job.command(report, reporter);
  const started = performance.now();
  const channel = live ? 'inherit' : 'pipe';
  const child = spawn(command, rest, {
    cwd: root,
    stdio: ['ignore', channel, channel],
    // A process group of its own, so that the whole run can be ended.
    detached: true,
    // The files load much the same sources, each in a process of its own.
    env: { NODE_COMPILE_CACHE: join(scratch, 'compile-cache'), ...process.env },
  });
  const printed: Buffer[] = [];
  const print = (line: string) => printed.push(Buffer.from(`${line}\n`));
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => printed.push(part));
  const end = (signal: NodeJS.Signals) => {
    // Whoever has ended has no process group any more.
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined)
      process.kill(-child.pid, signal);
  };
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    end('SIGINT');
  };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  let hung = false;
  const limit = setTimeout(() => {
    hung = true;
    print(`${job.name}: not finished after ${JOB_LIMIT_MS / 60_000} minutes, ended; of it ran:`);
    print(spawnSync('pgrep', ['-a', '-g', String(child.pid)], { encoding: 'utf8' }).stdout);
    end('SIGKILL');
  }, JOB_LIMIT_MS);
  const code = await ended(child, () =>
    print(`${job.name}: ended, but a process that it started still holds its output open`),
  );
  clearTimeout(limit);
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  const results = readResults(report);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const failed = results.some(({ outcome }) => outcome === 'failed');
  print(`${failed || code !== 0 ? 'FAIL' : 'ok  '} ${job.name} (${results.length} tests, ${seconds} s)`);
  return { results, code, hung, interrupted, printed: Buffer.concat(printed) };
}

/** Resolves with a process's exit status, 1 where it has none or another process keeps its output open: nobody would end that one. */
function ended(child: ChildProcess, held: () => void): Promise<number> {
  return new Promise((done, fail) => {
    let status = 1;
    let limit: NodeJS.Timeout | undefined;
    child.on('error', fail);
    child.on('exit', (code) => {
      status = code ?? 1;
      limit = setTimeout(() => {
        held();
        status = 1;
        for (const stream of [child.stdout, child.stderr]) stream?.destroy();
      }, OUTPUT_LIMIT_MS);
    });
    child.on('close', () => {
      clearTimeout(limit);
      done(status);
    });
  });
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
