import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { sleep, systemClock } from '#runtime';
import type { Peer } from './peers.ts';

const run = promisify(execFile);
const CLOCK_TICKS = 100;

/** A DNS server as a process of its own, answering. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  /** Processor time so far, of all its threads. */
  cpuMicros(): number;
  /** One line to its input, one line back. */
  ask(line: string): Promise<string>;
}

/** @throws Error when it does not answer in 20 s */
export async function startServer({ command, args, environment, port, knows }: Peer): Promise<ServerProcess> {
  const child = spawn(command, [...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, ...environment },
  });
  const waiting: ((line: string) => void)[] = [];
  createInterface(child.stdout).on('line', (line) => waiting.shift()?.(line));
  for (let tries = 0; ; tries++) {
    await sleep(systemClock, 200);
    const question = ['+tries=1', '+time=1', '-p', String(port), '@127.0.0.1', knows];
    const { stdout } = await run('dig', question).catch(() => ({ stdout: '' }));
    if (stdout.includes('status:')) break;
    if (tries > 100 || child.exitCode !== null) {
      child.kill('SIGKILL');
      throw new Error(`${command} does not answer on port ${port}`);
    }
  }
  return {
    port,
    cpuMicros() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
      return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / CLOCK_TICKS;
    },
    ask(line) {
      const { promise, resolve } = Promise.withResolvers<string>();
      waiting.push(resolve);
      child.stdin.write(`${line}\n`);
      return promise;
    },
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}
