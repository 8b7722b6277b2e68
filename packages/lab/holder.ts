import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { LabError } from './errors.ts';

/** Descriptors that the supervisor finds open; the lab's lock is a third one, 5, that nobody reads. */
export const LISTENER_FD = 3;
export const CHANNEL_FD = 4;

/**
 * PID 1 of the lab: starts the supervisor as its child, passes SIGTERM on, reaps what is orphaned, and ends with the
 * supervisor, upon which the kernel ends everything in the PID namespace. The supervisor cannot be PID 1 itself:
 * Node waits for the processes that it started only, and adopted ones would stay as zombies. /run is the lab's own.
 */
const INIT = `
mount -t tmpfs -o mode=0755 podway /run || exit
trap 'kill -TERM "$supervisor"' TERM
"$@" & supervisor=$!
while :; do
  wait "$supervisor"; status=$?
  kill -0 "$supervisor" 2>/dev/null || exit "$status"
done`;

/** The namespaces of a lab around a command; --kill-child ties the lab to the life of unshare itself. */
export function holderCommand(command: readonly string[], root: boolean): readonly string[] {
  return [
    'unshare',
    ...(root ? [] : ['--user', '--map-root-user']),
    ...['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'],
    ...['sh', '-c', INIT, 'podway-lab', ...command],
  ];
}

export interface HolderFiles {
  readonly listener: number;
  readonly lock: number;
  /** Path: standard output and error are appended. */
  readonly log: string;
}

/** Starts the lab's processes in a session of their own; `stdio[4]` of the result is the boot channel. */
export function startHolder(
  command: readonly string[],
  files: HolderFiles,
  environment: NodeJS.ProcessEnv,
): ChildProcess {
  const log = openSync(files.log, 'a', 0o600);
  try {
    const [program = '', ...args] = holderCommand(command, process.getuid?.() === 0);
    const child = spawn(program, args, {
      detached: true,
      cwd: '/',
      env: environment,
      stdio: ['ignore', log, log, files.listener, 'pipe', files.lock],
    });
    child.on('error', () => {});
    if (child.pid === undefined)
      throw new LabError('cannot run unshare: install util-linux, and see that PATH names its directory');
    return child;
  } finally {
    closeSync(log);
  }
}
