import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
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

/** A run that hangs (a handle left open, say) is ended, and fails. Milliseconds. */
const JOB_LIMIT_MS = 20 * 60_000;

/** Runs a job and resolves with its results; a run that dies without any is itself a failure. */
export async function runJob(job: Job, { scratch, live }: RunOptions): Promise<readonly TestResult[]> {
  const report = join(scratch, `${job.name.replaceAll('/', '_')}.jsonl`);
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
  const printed: (Buffer | string)[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => printed.push(part));
  const end = (signal: NodeJS.Signals) => child.pid !== undefined && process.kill(-child.pid, signal);
  const interrupt = () => end('SIGINT');
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  const limit = setTimeout(() => {
    printed.push(`${job.name}: not finished after ${JOB_LIMIT_MS / 60_000} minutes, ended\n`);
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
  const verdict = failed > 0 || code !== 0 ? 'FAIL' : 'ok  ';
  printed.push(`${verdict} ${job.name} (${results.length} tests, ${seconds} s)\n`);
  process.stdout.write(Buffer.concat(printed.map((part) => Buffer.from(part))));
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
