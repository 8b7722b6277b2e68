/**
 * What attaching a Pod costs, executable to executable, beside the reference plugins (bridge and host-local, and portmap
 * in a chain, of Debian's containernetworking-plugins; another directory by PODWAY_REFERENCE_CNI). Everything happens in
 * namespaces of its own.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { compileClient } from '#cni';
import { linuxKernel } from '#kernel';
import { type Benchmark, type BenchmarkResult, median } from './benchmark.ts';

const REFERENCE = process.env['PODWAY_REFERENCE_CNI'] ?? '/usr/lib/cni';
const ROUNDS = 30;
const PARALLEL = { pods: 100, at: 8 } as const;
const CHAIN_ROUNDS = 10;
/** Fewer: the reference takes a fifth of a second for each. */
const CHAIN_PARALLEL = { pods: 32, at: 8 } as const;
const GROWN = 250;

/** A network: its plugins run one after the other, as a runtime runs a configuration list. */
type Network = readonly Plugin[];

interface Plugin {
  readonly executable: string;
  /** What the list says of it, and what the runtime adds for the Pod of this number. */
  readonly config: (pod: number) => object;
}

interface Pod {
  readonly name: string;
  readonly number: number;
}

export const benchmark: Benchmark = {
  name: 'cni-add',
  about:
    'ADD and DEL of a Pod through the CNI executable, beside the reference plugins bridge, host-local and portmap',
  async run({ progress }) {
    progress('namespaces and an agent of their own');
    const client = await compileClient();
    const inside = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const rootless = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    const script = 'mount -t tmpfs tmpfs /run && ip link set lo up && exec "$@"';
    const self = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      import.meta.filename,
      client ?? '',
    ];
    const output = execFileSync('unshare', [...rootless, ...inside, 'sh', '-c', script, 'sh', ...self], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 120_000,
    });
    return JSON.parse(output) as BenchmarkResult;
  },
};

/** @returns milliseconds */
async function run(network: Network, command: 'ADD' | 'DEL', { name, number }: Pod): Promise<number> {
  const started = performance.now();
  let prevResult: unknown;
  for (const { executable, config } of command === 'ADD' ? network : network.toReversed())
    prevResult = await runPlugin(executable, command, name, {
      ...config(number),
      ...(prevResult !== undefined && { prevResult }),
    });
  return performance.now() - started;
}

/** @returns its result, undefined when it printed none */
async function runPlugin(executable: string, command: string, pod: string, config: object): Promise<unknown> {
  const child = spawn(executable, [], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      CNI_CONTAINERID: pod,
      CNI_NETNS: `/run/netns/${pod}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: REFERENCE,
    },
  });
  const exited = once(child, 'exit');
  child.stdin.end(JSON.stringify(config));
  const output = await text(child.stdout);
  const [code]: readonly unknown[] = await exited;
  if (code !== 0) throw new Error(`${executable} ${command} ${pod}: exit ${code}: ${output}`);
  return output === '' ? undefined : JSON.parse(output);
}

/** A TCP port of the node for each Pod. */
function hostPort(pod: number): object {
  return { portMappings: [{ hostPort: 20_000 + pod, containerPort: 80, protocol: 'tcp' }] };
}

/** Ours needs no word for masquerading: one rule of the agent serves all Pods. */
function podwayNetworks(executable: string) {
  const config = { cniVersion: '1.0.0', name: 'podway', type: 'podway' };
  return {
    plain: [{ executable, config: () => config }],
    chain: [{ executable, config: (pod: number) => ({ ...config, runtimeConfig: hostPort(pod) }) }],
  };
}

function referenceNetworks(dataDir: string) {
  const config = { cniVersion: '1.0.0', name: 'reference' };
  const bridge = {
    ...config,
    type: 'bridge',
    bridge: 'reference0',
    isGateway: true,
    hairpinMode: true,
    ipam: { type: 'host-local', subnet: '10.99.0.0/16', dataDir },
  };
  const portmap = { ...config, type: 'portmap' };
  const executable = (name: string) => join(REFERENCE, name);
  return {
    plain: [{ executable: executable('bridge'), config: () => bridge }],
    chain: [
      { executable: executable('bridge'), config: () => ({ ...bridge, ipMasq: true }) },
      {
        executable: executable('portmap'),
        config: (pod: number) => ({ ...portmap, runtimeConfig: hostPort(pod) }),
      },
    ],
  };
}

async function measure(client: string): Promise<BenchmarkResult> {
  const kernel = linuxKernel();
  const dir = mkdtempSync('/tmp/bench-cni-');
  const agent = await startAgent(dir, client);
  const podway = podwayNetworks(join(dir, 'podway'));
  const reference = existsSync(join(REFERENCE, 'bridge')) ? referenceNetworks(join(dir, 'ipam')) : undefined;
  const sides = { podway, ...(reference && { reference }) };
  const times = new Map<string, number[]>();
  const note = (name: string, ms: number) => times.set(name, [...(times.get(name) ?? []), ms]);
  const namespace = (pod: Pod): Disposable => {
    kernel.createNetns(`/run/netns/${pod.name}`)[Symbol.dispose]();
    return { [Symbol.dispose]: () => kernel.deleteNetns(`/run/netns/${pod.name}`) };
  };

  /** In turns, so that what else the machine does falls on both. The first three are not counted. */
  const alternate = async (kind: 'plain' | 'chain', rounds: number, label: string) => {
    for (let round = -3; round < rounds; round++)
      for (const [side, networks] of Object.entries(sides)) {
        const pod = { name: `pod-${side}`, number: 0 };
        using _ = namespace(pod);
        const add = await run(networks[kind], 'ADD', pod);
        const del = await run(networks[kind], 'DEL', pod);
        if (round < 0) continue;
        note(`${side} ADD${label}`, add);
        note(`${side} ADD and DEL${label}`, add + del);
      }
  };
  /** Notes the time that each Pod took of the whole. */
  const together = async (
    kind: 'plain' | 'chain',
    { pods: count, at }: typeof PARALLEL | typeof CHAIN_PARALLEL,
    label: string,
  ) => {
    for (const [side, networks] of Object.entries(sides)) {
      using namespaces = new DisposableStack();
      const pods = Array.from({ length: count }, (_, number) => ({ name: `many-${number}`, number }));
      for (const pod of pods) namespaces.use(namespace(pod));
      const queue = pods.values();
      const started = performance.now();
      await Promise.all(
        Array.from({ length: at }, async () => {
          for (const pod of queue) await run(networks[kind], 'ADD', pod);
        }),
      );
      note(`${side} ADD${label}, ${at} at once`, (performance.now() - started) / count);
      for (const pod of pods) await run(networks[kind], 'DEL', pod);
    }
  };

  const chained = ', masquerade and a host port';
  await alternate('plain', ROUNDS, '');
  await together('plain', PARALLEL, '');
  await alternate('chain', CHAIN_ROUNDS, chained);
  await together('chain', CHAIN_PARALLEL, chained);
  for (let number = 0; number < GROWN; number++) {
    const pod = { name: `grown-${number}`, number };
    namespace(pod);
    const ms = await run(podway.plain, 'ADD', pod);
    if (number < 20) note('podway ADD, first 20 Pods', ms);
    if (number >= GROWN - 20) note(`podway ADD, Pods ${GROWN - 20} to ${GROWN}`, ms);
  }
  const ended = once(agent, 'exit');
  agent.kill('SIGKILL');
  await ended;
  rmSync(dir, { recursive: true });

  const medians = new Map([...times].map(([name, values]) => [name, median(values)]));
  const ratio = (a: string, b: string) => (medians.get(a) ?? Number.NaN) / (medians.get(b) ?? Number.NaN);
  const faster = (what: string) => ratio(`reference ${what}`, `podway ${what}`);
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  const figures = {
    addMs: medians.get('podway ADD') ?? Number.NaN,
    growthRatio: ratio(`podway ADD, Pods ${GROWN - 20} to ${GROWN}`, 'podway ADD, first 20 Pods'),
    ...(reference && {
      addRatio: 1 / faster('ADD'),
      addDelRatio: 1 / faster('ADD and DEL'),
      chainAddRatio: 1 / faster(`ADD${chained}`),
      parallelRatio: faster(`ADD, ${PARALLEL.at} at once`),
      chainParallelRatio: faster(`ADD${chained}, ${CHAIN_PARALLEL.at} at once`),
    }),
  };
  return {
    figures: Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)])),
    rows: [...medians].map(([what, ms]) => ({ what, 'median ms': rounded(ms) })),
  };
}

async function startAgent(dir: string, client: string): Promise<ChildProcess> {
  const program = resolve(import.meta.dirname, '../packages/cni/fixture-process.ts');
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      program,
      dir,
      '10.244.0.0/16',
      ...(client === '' ? [] : [client]),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(child.stdout, 'data');
  return child;
}

if (process.argv[1] === import.meta.filename)
  process.stdout.write(JSON.stringify(await measure(process.argv[2] ?? '')));
