/**
 * What attaching a Pod costs, executable to executable, beside the reference plugins (bridge and host-local of Debian's
 * containernetworking-plugins; another directory by PODWAY_REFERENCE_CNI). Everything happens in namespaces of its own.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compileClient } from '#cni';
import { linuxKernel } from '#kernel';
import { type Benchmark, type BenchmarkResult, median } from './benchmark.ts';

const REFERENCE = process.env['PODWAY_REFERENCE_CNI'] ?? '/usr/lib/cni';
const ROUNDS = 30;
const PARALLEL = { pods: 96, at: 8 } as const;
const GROWN = 240;

interface Plugin {
  readonly executable: string;
  readonly config: object;
}

export const benchmark: Benchmark = {
  name: 'cni-add',
  about:
    'ADD and DEL of a Pod through the CNI executable, beside the reference plugins bridge and host-local',
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

function run({ executable, config }: Plugin, command: string, pod: string): Promise<number> {
  const started = performance.now();
  const child = spawn(executable, [], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      CNI_COMMAND: command,
      CNI_CONTAINERID: pod,
      CNI_NETNS: `/run/netns/${pod}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: REFERENCE,
    },
  });
  child.stdin.end(JSON.stringify(config));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('exit', (code) =>
      code === 0
        ? done(performance.now() - started)
        : fail(new Error(`${executable} ${command} ${pod}: exit ${code}`)),
    );
  });
}

async function measure(client: string): Promise<BenchmarkResult> {
  const kernel = linuxKernel();
  const dir = mkdtempSync('/tmp/bench-cni-');
  const agent = await startAgent(dir, client);
  const ours: Plugin = {
    executable: join(dir, 'podway'),
    config: { cniVersion: '1.0.0', name: 'podway', type: 'podway' },
  };
  const reference: Plugin | undefined = existsSync(join(REFERENCE, 'bridge'))
    ? {
        executable: join(REFERENCE, 'bridge'),
        config: {
          cniVersion: '1.0.0',
          name: 'reference',
          type: 'bridge',
          bridge: 'reference0',
          isGateway: true,
          hairpinMode: true,
          ipam: { type: 'host-local', subnet: '10.99.0.0/16', dataDir: join(dir, 'ipam') },
        },
      }
    : undefined;
  const plugins = { podway: ours, ...(reference && { reference }) };
  const namespace = (pod: string) => kernel.createNetns(`/run/netns/${pod}`)[Symbol.dispose]();
  const times = new Map<string, number[]>();
  const note = (name: string, ms: number) => times.set(name, [...(times.get(name) ?? []), ms]);

  // In turns, so that what else the machine does falls on both.
  for (let round = -3; round < ROUNDS; round++)
    for (const [name, plugin] of Object.entries(plugins)) {
      namespace(`pod-${name}`);
      const add = await run(plugin, 'ADD', `pod-${name}`);
      const del = await run(plugin, 'DEL', `pod-${name}`);
      kernel.deleteNetns(`/run/netns/pod-${name}`);
      if (round < 0) continue;
      note(`${name} ADD`, add);
      note(`${name} ADD and DEL`, add + del);
    }
  for (const [name, plugin] of Object.entries(plugins)) {
    const pods = Array.from({ length: PARALLEL.pods }, (_, i) => `many-${i}`);
    for (const pod of pods) namespace(pod);
    const queue = [...pods];
    const started = performance.now();
    await Promise.all(
      Array.from({ length: PARALLEL.at }, async () => {
        for (let pod = queue.shift(); pod !== undefined; pod = queue.shift()) await run(plugin, 'ADD', pod);
      }),
    );
    note(`${name} ADD, ${PARALLEL.at} at once`, (performance.now() - started) / PARALLEL.pods);
    for (const pod of pods) {
      await run(plugin, 'DEL', pod);
      kernel.deleteNetns(`/run/netns/${pod}`);
    }
  }
  for (let i = 0; i < GROWN; i++) {
    namespace(`grown-${i}`);
    const ms = await run(ours, 'ADD', `grown-${i}`);
    if (i < 20) note('podway ADD, first 20 Pods', ms);
    if (i >= GROWN - 20) note(`podway ADD, Pods ${GROWN - 20} to ${GROWN}`, ms);
  }
  const ended = once(agent, 'exit');
  agent.kill('SIGKILL');
  await ended;
  rmSync(dir, { recursive: true });

  const medians = new Map([...times].map(([name, values]) => [name, median(values)]));
  const ratio = (a: string, b: string) => (medians.get(a) ?? Number.NaN) / (medians.get(b) ?? Number.NaN);
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  const figures = {
    addMs: medians.get('podway ADD') ?? Number.NaN,
    growthRatio: ratio(`podway ADD, Pods ${GROWN - 20} to ${GROWN}`, 'podway ADD, first 20 Pods'),
    ...(reference && {
      addRatio: ratio('podway ADD', 'reference ADD'),
      addDelRatio: ratio('podway ADD and DEL', 'reference ADD and DEL'),
      parallelRatio: ratio(`reference ADD, ${PARALLEL.at} at once`, `podway ADD, ${PARALLEL.at} at once`),
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
