/**
 * What a DNS answer costs: 10,000 Services with 100,000 endpoints, asked by dnsperf over loopback, beside unbound and CoreDNS
 * with the same names, in turns on the same machine. Each server is a process with one thread for its queries.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sleep, systemClock } from '#runtime';
import { type Benchmark, median, type Row } from './benchmark.ts';
import { SamplingClient } from './dns/client.ts';
import {
  ENDPOINTS_EACH,
  endpointAddress,
  HEADLESS,
  headlessName,
  indices,
  OUTSIDE,
  outsideName,
  PORTS,
  SERVICES,
  serviceAddress,
  serviceName,
} from './dns/cluster.ts';
import { coredns, unbound, upstream } from './dns/peers.ts';
import type { ServerMemory } from './dns/server.ts';
import { type ServerProcess, startServer } from './dns/server-process.ts';

const run = promisify(execFile);
const SECONDS = 1;
/**
 * Each server in turn, so many times: what a machine that others use, too, does in one second it mostly does in the next.
 * Ratios are the medians of the rounds' ratios.
 */
const ROUNDS = 7;
const SAMPLES = 1000;
const CHANGES = 400;
const LOADS = ['hits', 'search list', 'forwarded', 'hits at one rate'] as const;
/** Servers that are asked as much as they can answer take many queries at a time, and the faster one fewer: so also at one rate for all. */
const ONE_RATE = 50_000;

type Load = (typeof LOADS)[number];
type PeerName = 'podway' | 'unbound' | 'coredns';

export const benchmark: Benchmark = {
  name: 'dns',
  about: `CPU and queries per second at ${SERVICES} Services and ${SERVICES * ENDPOINTS_EACH} endpoints, beside unbound and CoreDNS with the same names`,
  async run({ progress }) {
    const directory = mkdtempSync(join(tmpdir(), 'podway-bench-dns-'));
    try {
      await requireCommands(['dnsperf', 'unbound', 'dig']);
      return await measure(directory, progress);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};

interface Turn {
  readonly queriesPerSecond: number;
  readonly cpuMicros: number;
  readonly lost: number;
}

interface Measured extends Turn {
  readonly peer: PeerName;
  readonly load: Load;
  readonly turns: readonly Turn[];
}

async function measure(directory: string, progress: (text: string) => void) {
  const queries = writeQueries(directory);
  const corednsPeer = await coredns(directory, progress);
  await using stack = new AsyncDisposableStack();
  stack.use(await startServer(upstream(directory)));
  const podway = stack.use(
    await startServer({
      command: process.execPath,
      args: ['--expose-gc', join(import.meta.dirname, 'dns/server.ts')],
      port: PORTS.podway,
      knows: serviceName(0),
    }),
  );
  const servers: (readonly [PeerName, ServerProcess])[] = [['podway', podway]];
  servers.push(['unbound', stack.use(await startServer(unbound(directory)))]);
  if (corednsPeer !== undefined) servers.push(['coredns', stack.use(await startServer(corednsPeer))]);

  const results: Measured[] = [];
  for (const load of LOADS) {
    const rate = load === 'hits at one rate' ? ONE_RATE : undefined;
    // The first turn fills caches and lets the compiler see the code.
    for (const [, server] of servers) await turn(server, queries[load], 1);
    // CoreDNS does not reach that rate.
    const peers = rate === undefined ? servers : servers.filter(([peer]) => peer !== 'coredns');
    const turns = new Map(peers.map(([peer]): [PeerName, Turn[]] => [peer, []]));
    for (let round = 0; round < ROUNDS; round++)
      for (const [peer, server] of peers) {
        progress(`${load}: ${peer}, ${round + 1} of ${ROUNDS}`);
        turns.get(peer)?.push(await turn(server, queries[load], SECONDS, rate));
      }
    for (const [peer, of] of turns) results.push({ peer, load, turns: of, ...middle(of) });
  }
  const find = (peer: PeerName, load: Load) =>
    results.find((each) => each.peer === peer && each.load === load);
  const ratio = (load: Load, other: PeerName, of: (each: Turn) => number) => {
    const [own, theirs] = [find('podway', load), find(other, load)];
    if (own === undefined || theirs === undefined) return undefined;
    return round2(
      median(own.turns.flatMap((each, i) => (theirs.turns[i] ? of(each) / of(theirs.turns[i]) : []))),
    );
  };
  // The same load for all, which the slowest can bear.
  const slowest = Math.min(
    ...results.flatMap((each) => (each.load === 'hits' ? [each.queriesPerSecond] : [])),
  );
  const waits = new Map<PeerName, number>();
  for (const [peer, server] of servers) {
    progress(`${peer}: waits of a client under load`);
    waits.set(peer, await waitUnderLoad(server, queries.hits, Math.floor(slowest * 0.8)));
  }
  progress('podway: 80 % of its peak');
  const at80 = await turn(
    podway,
    queries.hits,
    4 * SECONDS,
    (find('podway', 'hits')?.queriesPerSecond ?? 0) * 0.8,
  );
  progress('podway: changes under load');
  const changes = await measureChanges(podway, queries.hits);
  const memory = JSON.parse(await podway.ask('memory')) as ServerMemory;
  const cpu = (each: Turn) => each.cpuMicros;
  const figures = {
    cpuRatioToUnbound: ratio('hits', 'unbound', cpu),
    queriesRatioToUnbound: ratio('hits', 'unbound', (each) => each.queriesPerSecond),
    cpuRatioToUnboundAtOneRate: ratio('hits at one rate', 'unbound', cpu),
    searchListCpuRatio: ratio('search list', 'unbound', cpu),
    forwardedCpuRatio: ratio('forwarded', 'unbound', cpu),
    cpuRatioToCoredns: ratio('hits', 'coredns', cpu),
    lossAt80: at80.lost,
    p99Ms: waits.get('podway'),
    p99MsUnbound: waits.get('unbound'),
    p99MsCoredns: waits.get('coredns'),
    addedMiB: round2(memory.addedMiB),
    relistPeakRatio: round2(memory.relistPeakRatio),
    changeToAnswerMs: changes.medianMs,
    longestChangeToAnswerMs: changes.longestMs,
    wrongAnswers: changes.wrong,
  };
  return {
    figures: Object.fromEntries(
      Object.entries(figures).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    ),
    rows: results.map(
      (each): Row => ({
        server: each.peer,
        load: each.load,
        'queries/s': Math.round(each.queriesPerSecond),
        'CPU us/query': round2(each.cpuMicros),
        lost: each.lost,
      }),
    ),
  };
}

async function turn(server: ServerProcess, file: string, seconds: number, rate?: number): Promise<Turn> {
  const before = server.cpuMicros();
  const { stdout } = await run('dnsperf', [
    ...['-s', '127.0.0.1', '-p', String(server.port), '-d', file],
    ...['-l', String(seconds), '-c', '4', '-T', '1'],
    ...(rate === undefined ? [] : ['-Q', String(Math.floor(rate))]),
  ]);
  const cpu = server.cpuMicros() - before;
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  return {
    queriesPerSecond: number(/Queries per second:\s+([\d.]+)/),
    cpuMicros: cpu / number(/Queries completed:\s+(\d+)/),
    lost: number(/Queries lost:\s+(\d+)/),
  };
}

function middle(turns: readonly Turn[]): Turn {
  return {
    queriesPerSecond: median(turns.map((each) => each.queriesPerSecond)),
    cpuMicros: median(turns.map((each) => each.cpuMicros)),
    lost: turns.reduce((sum, each) => sum + each.lost, 0),
  };
}

/** What a client that asks now and then waits while dnsperf asks at a rate: the 99th percentile, milliseconds. */
async function waitUnderLoad(server: ServerProcess, file: string, rate: number): Promise<number> {
  using client = new SamplingClient(server.port);
  const load = turn(server, file, 4, rate);
  await sleep(systemClock, 300);
  const waits: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    waits.push((await client.ask(serviceName(i))).ms);
    await sleep(systemClock, 1);
  }
  await load;
  return round2(waits.toSorted((a, b) => a - b)[Math.floor(SAMPLES * 0.99)] ?? Number.NaN);
}

/**
 * From before the informer's event, of Services and endpoints in turn, until the client has an answer, its way through two
 * processes included, while dnsperf asks for the same names. Wrong is an answer after the event that is not the new one, and
 * one during it that is neither.
 */
async function measureChanges(
  server: ServerProcess,
  file: string,
): Promise<{ readonly medianMs: number; readonly longestMs: number; readonly wrong: number }> {
  using client = new SamplingClient(server.port);
  using other = new SamplingClient(server.port);
  const load = turn(server, file, 3, ONE_RATE);
  const times: number[] = [];
  let wrong = 0;
  for (let i = 0; i < CHANGES; i++) {
    const ofEndpoint = i % 2 === 1;
    const index = ofEndpoint ? i % HEADLESS : (i * 37) % SERVICES;
    const generation = 1 + Math.floor(i / HEADLESS);
    const name = ofEndpoint ? headlessName(index) : serviceName(index);
    const expected = ofEndpoint ? endpointAddress(index, generation) : serviceAddress(index, generation);
    // An answer is prepared already, and must go.
    const { address: before } = await client.ask(name);
    const during = other.ask(name);
    const start = performance.now();
    await server.ask(`${ofEndpoint ? 'endpoint' : 'service'} ${index} ${generation}`);
    const { address } = await client.ask(name);
    times.push(performance.now() - start);
    if (address !== expected) wrong++;
    const old = (await during).address;
    if (old !== expected && old !== before) wrong++;
  }
  await load;
  return { medianMs: round2(median(times)), longestMs: round2(Math.max(...times)), wrong };
}

async function requireCommands(commands: readonly string[]): Promise<void> {
  for (const command of commands)
    await run('which', [command]).catch(() => {
      throw new Error(`${command} is needed: apt-get install dnsperf unbound dnsutils`);
    });
}

const round2 = (value: number) => Math.round(value * 100) / 100;

function writeQueries(directory: string): Readonly<Record<Load, string>> {
  const write = (file: string, lines: readonly string[]) => {
    writeFileSync(join(directory, file), `${lines.join('\n')}\n`);
    return join(directory, file);
  };
  const hits = write(
    'hits',
    indices(SERVICES, (i) => `${serviceName(i)} A`),
  );
  return {
    hits,
    'hits at one rate': hits,
    'search list': write(
      'search',
      indices(SERVICES, (i) => `${outsideName(i % OUTSIDE)}.ns${i % 100}.svc.cluster.local A`),
    ),
    forwarded: write(
      'forwarded',
      indices(OUTSIDE, (i) => `${outsideName(i)} A`),
    ),
  };
}
