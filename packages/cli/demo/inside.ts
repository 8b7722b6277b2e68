import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { execCommand } from '#lab';
import { DemoError } from './pods.ts';

/** Runs commands at places of one lab. */
export interface Inside {
  /** In a node's network, or `outside`. */
  place(name: string, command: readonly string[]): Promise<string>;
  pod(name: string, command: readonly string[]): Promise<string>;
}

/** @throws DemoError when a command fails */
export function createInside(labs: string, lab: string, signal: AbortSignal): Inside {
  const run = async (target: string, namespace: string | undefined, command: readonly string[]) => {
    const [program = '', ...args] = await execCommand(
      labs,
      lab,
      { target, namespace, container: undefined, terminal: false },
      command,
    );
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000, signal });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
    if (code !== 0)
      throw new DemoError(
        `in ${target}: ${command.join(' ')}: ended with ${code}\n${stdout}${stderr}`.trimEnd(),
      );
    return stdout;
  };
  return {
    place: (name, command) => run(name, undefined, command),
    pod: (name, command) => run(name, 'default', command),
  };
}
