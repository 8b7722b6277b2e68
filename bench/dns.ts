/**
 * What a DNS answer costs: 10,000 Services with 100,000 endpoints, asked by dnsperf over loopback, beside unbound with the
 * same names, one after the other on the same machine. Each server is a process with one thread for its queries.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createDnsServer } from '#dns';
import type { EndpointSlice, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { sleep, systemClock } from '#runtime';
import type { Benchmark, Row } from './benchmark.ts';

const run = promisify(execFile);
const SERVICES = 10_000;
const ENDPOINTS = 10;
const SECONDS = 4;
const OUTSIDE = 200;
const CLOCK_TICKS = 100;
const PORTS = { podway: 15351, unbound: 15352, upstream: 15353 } as const;

type Peer = 'podway' | 'unbound';
type Load = 'hits' | 'search list' | 'forwarded';

export const benchmark: Benchmark = {
  name: 'dns',
  about: `CPU and queries per second at ${SERVICES} Services and ${SERVICES * ENDPOINTS} endpoints, beside unbound with the same names`,
  async run({ progress }) {
    const directory = mkdtempSync(join(tmpdir(), 'podway-bench-dns-'));
    try {
      await requireCommands(['dnsperf', 'unbound']);
      return await measure(directory, progress);
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};

async function measure(directory: string, progress: (text: string) => void) {
  const queries = writeQueries(directory);
  writeFileSync(join(directory, 'unbound.conf'), unboundConfig());
  writeFileSync(join(directory, 'upstream.conf'), upstreamConfig());
  await using stack = new AsyncDisposableStack();
  stack.use(await start('unbound', ['-d', '-c', join(directory, 'upstream.conf')], PORTS.upstream));
  const podway = stack.use(
    await start(process.execPath, ['--expose-gc', import.meta.filename], PORTS.podway),
  );
  const unbound = stack.use(
    await start('unbound', ['-d', '-c', join(directory, 'unbound.conf')], PORTS.unbound),
  );

  const results: Measured[] = [];
  for (const load of ['hits', 'search list', 'forwarded'] as const)
    for (const [peer, server] of [
      ['podway', podway],
      ['unbound', unbound],
    ] as const) {
      progress(`${peer}: ${load}`);
      // The first run fills caches and lets the compiler see the code.
      await ask(server, PORTS[peer], queries[load], 2);
      results.push({ peer, load, ...(await ask(server, PORTS[peer], queries[load], SECONDS)) });
    }
  const find = (peer: Peer, load: Load) => results.find((each) => each.peer === peer && each.load === load);
  const ratio = (load: Load, of: (each: Measured) => number) => {
    const [own, other] = [find('podway', load), find('unbound', load)];
    return own === undefined || other === undefined ? Number.NaN : round(of(own) / of(other));
  };
  progress('podway: 80 % of its peak');
  const peak = find('podway', 'hits')?.queriesPerSecond ?? 0;
  const at80 = await ask(podway, PORTS.podway, queries.hits, SECONDS, Math.floor(peak * 0.8));
  const memory = JSON.parse(await podway.ask('memory')) as Memory;
  return {
    figures: {
      cpuRatioToUnbound: ratio('hits', (each) => each.cpuMicros),
      queriesRatioToUnbound: ratio('hits', (each) => each.queriesPerSecond),
      searchListCpuRatio: ratio('search list', (each) => each.cpuMicros),
      forwardedCpuRatio: ratio('forwarded', (each) => each.cpuMicros),
      lossAt80: at80.lost,
      addedMiB: round(memory.addedMiB),
      relistPeakRatio: round(memory.relistPeakRatio),
      changeMs: round(memory.changeMs),
    },
    rows: results.map(
      (each): Row => ({
        server: each.peer,
        load: each.load,
        'queries/s': Math.round(each.queriesPerSecond),
        'CPU us/query': round(each.cpuMicros),
        'latency ms': each.latencyMs,
        'longest ms': each.longestMs,
        lost: each.lost,
      }),
    ),
  };
}

interface Figures {
  readonly queriesPerSecond: number;
  readonly cpuMicros: number;
  readonly latencyMs: number;
  readonly longestMs: number;
  readonly lost: number;
}

interface Measured extends Figures {
  readonly peer: Peer;
  readonly load: Load;
}

interface Memory {
  readonly addedMiB: number;
  readonly relistPeakRatio: number;
  readonly changeMs: number;
}

interface Server extends AsyncDisposable {
  cpuMicros(): number;
  /** One line to its input, one line back. */
  ask(line: string): Promise<string>;
}

async function ask(
  server: Server,
  port: number,
  file: string,
  seconds: number,
  rate?: number,
): Promise<Figures> {
  const before = server.cpuMicros();
  const { stdout } = await run('dnsperf', [
    ...['-s', '127.0.0.1', '-p', String(port), '-d', file, '-l', String(seconds), '-c', '4', '-T', '1'],
    ...(rate === undefined ? [] : ['-Q', String(rate)]),
  ]);
  const cpu = server.cpuMicros() - before;
  const number = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  return {
    queriesPerSecond: number(/Queries per second:\s+([\d.]+)/),
    cpuMicros: cpu / number(/Queries completed:\s+(\d+)/),
    latencyMs: round(number(/Average Latency \(s\):\s+([\d.]+)/) * 1000),
    longestMs: round(number(/Average Latency[^\n]*max ([\d.]+)\)/) * 1000),
    lost: number(/Queries lost:\s+(\d+)/),
  };
}

async function start(command: string, args: readonly string[], port: number): Promise<Server> {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'ignore'] });
  let text = '';
  const waiting: ((line: string) => void)[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      waiting.shift()?.(text.slice(0, end));
      text = text.slice(end + 1);
    }
  });
  for (let tries = 0; ; tries++) {
    await sleep(systemClock, 200);
    const { stdout } = await run('dig', [
      '+short',
      '+tries=1',
      '+time=1',
      '-p',
      String(port),
      '@127.0.0.1',
      name(0),
    ]).catch(() => ({ stdout: '' }));
    if (stdout.startsWith('10.') || (port === PORTS.upstream && tries > 2)) break;
    if (tries > 100 || child.exitCode !== null) throw new Error(`${command} does not answer on port ${port}`);
  }
  return {
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

async function requireCommands(commands: readonly string[]): Promise<void> {
  for (const command of commands)
    await run('which', [command]).catch(() => {
      throw new Error(`${command} is needed: apt-get install dnsperf unbound`);
    });
}

const name = (i: number) => `svc${i}.ns${i % 100}.svc.cluster.local`;
const address = (i: number) => `10.96.${i >> 8}.${i & 255}`;
const outside = (i: number) => `host${i}.example.com`;
const round = (value: number) => Math.round(value * 100) / 100;
const all = <T>(count: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => make(i));

function writeQueries(directory: string): Readonly<Record<Load, string>> {
  const write = (file: string, lines: readonly string[]) => {
    writeFileSync(join(directory, file), `${lines.join('\n')}\n`);
    return join(directory, file);
  };
  return {
    hits: write(
      'hits',
      all(SERVICES, (i) => `${name(i)} A`),
    ),
    'search list': write(
      'search',
      all(SERVICES, (i) => `${outside(i % OUTSIDE)}.ns${i % 100}.svc.cluster.local A`),
    ),
    forwarded: write(
      'forwarded',
      all(OUTSIDE, (i) => `${outside(i)} A`),
    ),
  };
}

const UNBOUND = `server:
  num-threads: 1
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  so-rcvbuf: 4m
  do-not-query-localhost: no
  module-config: "iterator"
`;

function unboundConfig(): string {
  const data = all(SERVICES, (i) => `  local-data: "${name(i)}. 5 IN A ${address(i)}"\n`).join('');
  return `${UNBOUND}  interface: 127.0.0.1@${PORTS.unbound}\n  local-zone: "cluster.local." static\n${data}remote-control:\n  control-enable: no\nforward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@${PORTS.upstream}\n`;
}

function upstreamConfig(): string {
  const data = all(OUTSIDE, (i) => `  local-data: "${outside(i)}. 300 IN A 192.0.2.${i}"\n`).join('');
  return `${UNBOUND}  interface: 127.0.0.1@${PORTS.upstream}\n  local-zone: "example.com." static\n${data}remote-control:\n  control-enable: no\n`;
}

/** An informer that is fed by hand, in the place of a watch. */
class FedInformer<T extends { readonly metadata?: { readonly name?: string; readonly namespace?: string } }>
  implements Informer<T>
{
  readonly synced = Promise.resolve();
  readonly hasSynced = true;
  readonly #objects = new Map<string, T>();
  readonly #listeners = new Set<(current: T | undefined, old: T | undefined) => void>();
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }
  list(): readonly T[] {
    return [...this.#objects.values()];
  }
  onChange(listener: (current: T | undefined, old: T | undefined) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
  set(object: T): void {
    const key = `${object.metadata?.namespace}/${object.metadata?.name}`;
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const listener of this.#listeners) listener(object, old);
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The server's process: answers until it is killed; "memory" on its input reports what its data take. */
async function serve(): Promise<void> {
  const services = new FedInformer<Service>();
  const endpointSlices = new FedInformer<EndpointSlice>();
  const server = await createDnsServer({
    services,
    endpointSlices,
    listen: [{ address: '127.0.0.1', port: PORTS.podway }],
    upstreams: [`127.0.0.1:${PORTS.upstream}`],
    clientLimits: { queriesPerSecond: Number.POSITIVE_INFINITY, burst: 1 },
  });
  const resident = () => {
    globalThis.gc?.();
    globalThis.gc?.();
    return process.memoryUsage.rss() / 2 ** 20;
  };
  const idle = resident();
  const load = (generation: number) => list(services, endpointSlices, generation);
  load(0);
  const steady = resident();
  for await (const _ of process.stdin) {
    const start = performance.now();
    services.set(serviceObject(7, 1));
    const changeMs = performance.now() - start;
    let peak = resident();
    const before = peak;
    load(1);
    peak = Math.max(peak, process.memoryUsage.rss() / 2 ** 20);
    const memory: Memory = { addedMiB: steady - idle, relistPeakRatio: peak / before, changeMs };
    process.stdout.write(`${JSON.stringify(memory)}\n`);
  }
  await server[Symbol.asyncDispose]();
}

/** A whole list as a watch brings it: parsed from JSON, a page of 500 at a time. */
function list(services: FedInformer<Service>, slices: FedInformer<EndpointSlice>, generation: number): void {
  for (let page = 0; page < SERVICES; page += 500) {
    const indices = all(500, (i) => page + i);
    const text = JSON.stringify({
      services: indices.map((i) => serviceObject(i, generation)),
      slices: indices.map((i) => sliceObject(i, generation)),
    });
    const parsed = JSON.parse(text) as { readonly services: Service[]; readonly slices: EndpointSlice[] };
    for (const each of parsed.services) services.set(each);
    for (const each of parsed.slices) slices.set(each);
  }
}

function serviceObject(i: number, generation: number): Service {
  return {
    metadata: {
      namespace: `ns${i % 100}`,
      name: `svc${i}`,
      uid: `uid-${i}`,
      resourceVersion: `${generation}${i}`,
    },
    spec: {
      type: 'ClusterIP',
      clusterIP: address(i),
      clusterIPs: [address(i)],
      ports: [{ name: 'http', port: 80 }],
    },
  };
}

function sliceObject(i: number, generation: number): EndpointSlice {
  return {
    metadata: {
      namespace: `ns${i % 100}`,
      name: `svc${i}-abcde`,
      uid: `uid-s${i}`,
      resourceVersion: `${generation}${i}`,
      labels: { 'kubernetes.io/service-name': `svc${i}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: all(ENDPOINTS, (e) => {
      const n = i * ENDPOINTS + e;
      return {
        addresses: [`10.${128 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`],
        conditions: { ready: true },
      };
    }),
  };
}

if (import.meta.main) await serve();
