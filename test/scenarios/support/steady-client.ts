import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { TestLab } from './lab.ts';
import { retry } from './retry.ts';

/** How long a request may take until it counts as failed; a machine may be busy for seconds. Milliseconds. */
const LIMIT_MS = 30_000;

/** Requests URL every 20 ms, each on a connection of its own, until standard input ends; prints a line of JSON for each. */
const PROGRAM = `
  const http = require('node:http');
  const [url, limit] = process.argv.slice(1);
  let pending = 0, ending = false;
  const timer = setInterval(() => {
    pending++;
    const begun = performance.now();
    const finish = (failure) => {
      console.log(JSON.stringify({ ms: Math.round(performance.now() - begun), failure: failure && failure + ' at ' + new Date().toISOString() }));
      pending--;
      endWhenDone();
    };
    const request = http.get(url, { agent: false, timeout: Number(limit) }, (response) => {
      response.resume();
      response.on('end', () => finish(response.statusCode === 200 ? undefined : 'status ' + response.statusCode));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => finish(error.message));
  }, 20);
  const endWhenDone = () => { if (ending && pending === 0) process.exit(); };
  process.stdin.resume().on('end', () => { ending = true; clearInterval(timer); endWhenDone(); });
`;

interface SteadyRequest {
  readonly ms: number;
  readonly failure?: string;
}

export interface SteadyReport {
  readonly failures: readonly string[];
  readonly slowestMs: number;
}

/** A client in a Pod that never stops asking. */
export class SteadyClient {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #requests: SteadyRequest[] = [];

  private constructor(process: ChildProcessByStdio<Writable, Readable, null>) {
    this.#process = process;
    createInterface({ input: process.stdout }).on('line', (line) => this.#requests.push(JSON.parse(line)));
  }

  static async start(lab: TestLab, pod: string, url: string): Promise<SteadyClient> {
    const command = [process.execPath, '-e', PROGRAM, url, String(LIMIT_MS)];
    const [program = '', ...args] = await lab.commandInPod(pod, command);
    return new SteadyClient(
      spawn(program, args, { env: lab.account.env, stdio: ['pipe', 'pipe', 'inherit'] }),
    );
  }

  /** Resolves when so many more requests have ended. */
  async requests(count: number): Promise<void> {
    const { length } = this.#requests;
    await retry(() => assert.ok(this.#requests.length >= length + count, 'the client is not answered'));
  }

  /** Ends it, once the requests under way have ended. */
  async end(): Promise<SteadyReport> {
    const ended = once(this.#process, 'close');
    this.#process.stdin.end();
    await ended;
    return {
      failures: this.#requests.flatMap(({ failure }) => failure ?? []),
      slowestMs: Math.max(...this.#requests.map(({ ms }) => ms)),
    };
  }
}
