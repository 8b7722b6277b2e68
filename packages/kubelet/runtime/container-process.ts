import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Cgroup, joinCommand } from '#cgroup';
import { PodwayError } from '#runtime';
import type { ContainerRoot } from './container-root.ts';
import { INIT_SCRIPT } from './init-script.ts';
import type { PodNetns } from './pod-netns.ts';
import { type ExitResult, exitResult, killQuietly } from './process-end.ts';
import type { TerminalSize } from './pty.ts';
import { type OutputListener, openStdio } from './stdio.ts';

/** A container did not come as far as its program: as runc's `failed to create containerd task`. */
export class ContainerStartError extends PodwayError {
  readonly code = 'ContainerStart';
}

export interface ContainerSpec {
  readonly root: ContainerRoot;
  /** The container's own directory on the lab's tmpfs. */
  readonly dir: string;
  readonly netns: PodNetns;
  /** Where its limits are. */
  readonly cgroup: Cgroup | undefined;
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly workingDir: string;
  readonly hostname: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly onOutput: OutputListener;
}

/** A started container. */
export interface ContainerProcess {
  /** Process 1 of the container, as this process sees it. */
  readonly pid: number;
  /** Resolves when process 1 has ended and all its output has been read. */
  readonly exited: Promise<ExitResult>;
  readonly stdin: NodeJS.WritableStream | undefined;
  kill(signal: NodeJS.Signals): void;
  resize(size: TerminalSize): void;
}

const KILLED: ExitResult = { exitCode: 137, signal: 9 };

/**
 * unshare(1) ends as its child did, but up to util-linux 2.38 not when that was SIGKILL: it tries to reset that signal's
 * handler, complains, and ends with 1.
 */
function isKilled(complaint: string): boolean {
  return complaint.includes('sigprocmask unblock failed');
}

/** `NAME=VALUE` words for env(1). */
export function environmentWords(env: ReadonlyMap<string, string>): readonly string[] {
  return [...env].map(([name, value]) => `${name}=${value}`);
}

/**
 * Starts a container's process 1 and resolves when its program begins.
 * @throws ContainerStartError with what went wrong on the way there
 */
export async function startContainer(spec: ContainerSpec): Promise<ContainerProcess> {
  mkdirSync(spec.dir, { recursive: true });
  const fstab = join(spec.dir, 'fstab');
  writeFileSync(fstab, spec.root.fstab);
  const [command = '', ...args] = initCommand(spec, fstab);
  const stdio = openStdio(spec);
  let child: ChildProcess;
  try {
    child = spec.netns.run(() =>
      spawn(command, args, {
        detached: true,
        stdio: [stdio.child[0], stdio.child[1], 'pipe', 'pipe', stdio.child[2]],
        env: { PATH: process.env['PATH'] ?? '' },
        cwd: '/',
      }),
    );
  } finally {
    stdio.closeChildEnds();
  }
  const outputs = stdio.read(spec.onOutput);
  const complaint = child.stderr === null ? Promise.resolve('') : text(child.stderr);
  const status = new Promise<ExitResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(exitResult(code, signal)));
  });
  const ended = status.then(async (result) => (isKilled(await complaint) ? KILLED : result));
  const exited = ended.then(async (result) => {
    await outputs;
    stdio.close();
    return result;
  });
  // Whoever waits for `exited` hears of it; until someone does, it is not an unhandled rejection.
  exited.catch(() => {});
  const report = await startReport(child, ended);
  if (report.error !== undefined || report.pid === undefined) {
    const { exitCode } = await ended;
    const reason = report.error ?? (await complaint).trim();
    throw new ContainerStartError(reason || `the container's init ended with status ${exitCode}`);
  }
  const { pid } = report;
  removeOldRoot(spec.root);
  return {
    pid,
    exited,
    stdin: stdio.stdin,
    kill: (signal) => killQuietly(pid, signal),
    resize: (size) => stdio.resize(size),
  };
}

/** The container's init: what runs {@link INIT_SCRIPT} in namespaces of its own. */
function initCommand(spec: ContainerSpec, fstab: string): readonly string[] {
  const [program = ''] = spec.argv;
  const user = spec.user === undefined ? ['', ''] : [String(spec.user.uid), String(spec.user.gid)];
  return joinCommand(spec.cgroup, [
    ...['unshare', '--mount', '--uts', '--ipc', '--pid', '--fork', '--kill-child'],
    ...['sh', '-c', INIT_SCRIPT, 'podway-init'],
    ...[spec.root.path, fstab, spec.hostname, spec.workingDir],
    ...[spec.env.get('PATH') ?? '', ...user, spec.tty ? '--ctty' : '', program],
    ...environmentWords(spec.env),
    ...spec.argv,
  ]);
}

/** In this mount namespace nothing is mounted on the directory that the old root was put on. */
function removeOldRoot(root: ContainerRoot): void {
  try {
    rmdirSync(join(root.path, '.old'));
  } catch {
    rmSync(join(root.path, '.old'), { force: true, recursive: false });
  }
}

interface StartReport {
  readonly pid: number | undefined;
  readonly error: string | undefined;
}

/** What the init wrote to descriptor 3. It stays open in unshare(1), so its end comes only with a failure. */
async function startReport(child: ChildProcess, ended: Promise<ExitResult>): Promise<StartReport> {
  const pipe = child.stdio[3];
  if (!(pipe instanceof Socket))
    return { pid: undefined, error: (await failure(ended)) ?? 'cannot be started' };
  let told = '';
  for await (const chunk of pipe) {
    told += String(chunk);
    if (/^R$/m.test(told)) break;
  }
  const pid = /^P (\d+)$/m.exec(told)?.[1];
  const error = /^E ([\s\S]*)/m.exec(told)?.[1]?.trim();
  const ready = /^R$/m.test(told);
  return { pid: pid !== undefined && ready ? Number(pid) : undefined, error };
}

async function failure(ended: Promise<ExitResult>): Promise<string | undefined> {
  try {
    await ended;
    return undefined;
  } catch (error) {
    return String(error);
  }
}
