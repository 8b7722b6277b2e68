import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type Cgroup, joinCommand } from '#cgroup';
import { type ContainerProcess, ContainerStartError, environmentWords } from './container-process.ts';
import type { PodNetns } from './pod-netns.ts';
import { type ExitResult, exitResult, killQuietly } from './process-end.ts';
import { type OutputListener, openStdio } from './stdio.ts';

export interface ExecSpec {
  /** Process 1 of the container. */
  readonly pid: number;
  readonly netns: PodNetns;
  /** The container's, whose limits hold for the command too. */
  readonly cgroup: Cgroup | undefined;
  readonly argv: readonly string[];
  readonly env: ReadonlyMap<string, string>;
  readonly workingDir: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
  readonly tty: boolean;
  /** Where a terminal comes from: the ptmx of the devpts that the container sees. */
  readonly multiplexer: string;
  readonly stdin: boolean;
  readonly onOutput: OutputListener;
}

/**
 * Says on descriptor 3 when there is no such program, as container runtimes do, and otherwise becomes the command.
 * Arguments: the container's PATH, working directory, program, then the command.
 */
const FIND_PROGRAM = `
own=$PATH PATH=$1
cd "$2" 2>/dev/null
command -v -- "$3" >/dev/null || { printf '%s' "$3" >&3; exit 127; }
PATH=$own
shift 3
exec 3>&-
exec "$@"
`;

/**
 * Runs a command inside a running container. `exited` is rejected with a ContainerStartError when there is no such
 * program; one that cannot be run ends with status 126, as env(1) has it.
 */
export function execInContainer(spec: ExecSpec): ContainerProcess {
  const { user } = spec;
  const asUser =
    user === undefined ? [] : ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'];
  const nsenter = ['nsenter', '--target', String(spec.pid), '--mount', '--uts', '--ipc', '--pid', '--'];
  const command = joinCommand(spec.cgroup, [
    ...nsenter,
    // A session of its own inside the container's pid namespace, or shells there could not control jobs.
    ...['setsid', ...(spec.tty ? ['--ctty'] : [])],
    ...asUser,
    ...[
      'sh',
      '-c',
      FIND_PROGRAM,
      'podway-exec',
      spec.env.get('PATH') ?? '',
      spec.workingDir,
      spec.argv[0] ?? '',
    ],
    ...['env', '--ignore-environment', `--chdir=${spec.workingDir}`],
    ...environmentWords(spec.env),
    ...(spec.tty && !spec.env.has('TERM') ? ['TERM=xterm'] : []),
    ...spec.argv,
  ]);
  const stdio = openStdio({ tty: spec.tty, stdin: spec.stdin, multiplexer: spec.multiplexer });
  const [program = '', ...args] = command;
  const child = (() => {
    try {
      return spec.netns.run(() =>
        spawn(program, args, {
          detached: true,
          stdio: [...stdio.child, 'pipe'],
          env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
          cwd: '/',
        }),
      );
    } finally {
      stdio.closeChildEnds();
    }
  })();
  const outputs = stdio.read(spec.onOutput);
  const ended = new Promise<ExitResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(exitResult(code, signal)));
  });
  const told = child.stdio[3] instanceof Socket ? text(child.stdio[3]) : Promise.resolve('');
  const exited = ended.then(async (result) => {
    await outputs;
    stdio.close();
    const missing = await told;
    if (missing === '') return result;
    throw new ContainerStartError(
      `failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: exec: "${missing}": executable file not found in $PATH: unknown`,
    );
  });
  exited.catch(() => {});
  return {
    pid: child.pid ?? 0,
    exited,
    stdin: stdio.stdin,
    kill(signal) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      // The command is the child of nsenter, in a session of its own.
      for (const pid of childrenOf(child.pid)) killQuietly(pid, signal);
    },
    resize: (size) => stdio.resize(size),
  };
}

/** proc_pid_children(5) */
function childrenOf(pid: number): readonly number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .filter((word) => word !== '')
      .map(Number);
  } catch {
    return [];
  }
}

/** Runs a command to its end, or until `timeoutMs` or `signal` kills it; output is cut at 10 KiB, as a kubelet's probes. */
export async function runInContainer(
  spec: Omit<ExecSpec, 'tty' | 'stdin' | 'onOutput'>,
  signal: AbortSignal,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  let output = '';
  const child = execInContainer({
    ...spec,
    tty: false,
    stdin: false,
    onOutput: (_, chunk) => {
      if (output.length < 10_240) output += String(chunk);
    },
  });
  const kill = () => child.kill('SIGKILL');
  signal.addEventListener('abort', kill, { once: true });
  if (signal.aborted) kill();
  try {
    const { exitCode } = await child.exited;
    return { exitCode, output: output.slice(0, 10_240) };
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
