import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { PODWAY, type TestLab } from './lab.ts';

/** One request every 20 ms, each on a connection of its own, until standard input ends; then prints what came of them. */
const PROGRAM = `
  const http = require('node:http');
  const url = process.argv[1];
  const failures = [];
  let pending = 0, done = 0, slowestMs = 0, ending = false;
  const timer = setInterval(() => {
    pending++;
    const begun = performance.now();
    const finish = (failure) => {
      if (failure !== undefined) failures.push(failure + ' at ' + new Date().toISOString());
      slowestMs = Math.max(slowestMs, Math.round(performance.now() - begun));
      done++; pending--;
      report();
    };
    const request = http.get(url, { agent: false, timeout: 4000 }, (response) => {
      response.resume();
      response.on('end', () => finish(response.statusCode === 200 ? undefined : 'status ' + response.statusCode));
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => finish(error.message));
  }, 20);
  function report() {
    if (ending && pending === 0) process.stdout.write(JSON.stringify({ done, failures, slowestMs }), () => process.exit());
  }
  process.stdin.resume().on('end', () => { ending = true; clearInterval(timer); report(); });
`;

export interface SteadyReport {
  readonly done: number;
  readonly failures: readonly string[];
  readonly slowestMs: number;
}

/** A client in a Pod that never stops asking. @returns what ends it */
export function startSteadyClient(lab: TestLab, pod: string, url: string): () => Promise<SteadyReport> {
  const [program = '', ...args] = lab.account.command([
    ...[PODWAY, 'lab', 'exec', '--name', lab.name, '-n', 'default', pod, '--'],
    ...[process.execPath, '-e', PROGRAM, url],
  ]);
  const client = spawn(program, args, { env: lab.account.env, stdio: ['pipe', 'pipe', 'inherit'] });
  const report = text(client.stdout);
  return async () => {
    client.stdin.end();
    return JSON.parse(await report) as SteadyReport;
  };
}
