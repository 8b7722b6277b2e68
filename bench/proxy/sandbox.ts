import { type ChildProcess, execFileSync, spawn } from 'node:child_process';

/** The memory flag that labs start agents with. */
export const AGENT_NODE_FLAGS = ['--max-semi-space-size=1'];
const NODE = [process.execPath, ...AGENT_NODE_FLAGS, '--disable-warning=ExperimentalWarning'];

/** A program of ours as a process of its own, for `spawn` and the like. */
export function nodeCommand(file: string, task: string): readonly [string, readonly string[]] {
  const [program = '', ...args] = NODE;
  return [program, [...args, file, task]];
}

/** The same in a network namespace and with a /run of its own, which end with it; as root or as an ordinary user. */
export function sandboxedCommand(file: string, task: string): readonly [string, readonly string[]] {
  const rootless = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const sandbox = ['sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sandbox'];
  return ['unshare', [...rootless, '--net', '--mount', ...sandbox, ...NODE, file, task]];
}

/** What the command prints; its errors go where ours go. */
export function outputOf([program, args]: readonly [string, readonly string[]], limitMs = 180_000): string {
  return execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: limitMs,
  });
}

/** Starts the command with pipes to talk through. */
export function start([program, args]: readonly [string, readonly string[]]): ChildProcess {
  return spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
}
