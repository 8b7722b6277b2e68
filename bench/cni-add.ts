/**
 * What attaching a Pod costs, executable to executable, beside the reference plugins (bridge and host-local, with portmap
 * and bandwidth in a chain, of Debian's containernetworking-plugins; another directory by PODWAY_REFERENCE_CNI).
 * Everything happens in namespaces of its own, in turns: what else the machine does falls on both sides.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { compileClient } from '#cni';
import { linuxKernel } from '#kernel';
import { sleep, systemClock } from '#runtime';
import { type Benchmark, type BenchmarkResult, median } from './benchmark.ts';

const REFERENCE = process.env['PODWAY_REFERENCE_CNI'] ?? '/usr/lib/cni';
const ROUNDS = 60;
const WARM_UP = 10;
const PARALLEL = { pods: 100, at: 8, rounds: 3 } as const;
const CHAIN_ROUNDS = 10;
/** Fewer rounds: the reference takes half a minute and more for each. */
const CHAIN_PARALLEL = { pods: 100, at: 8, rounds: 2 } as const;
const GROWN = 250;
/** The kernel tears a namespace down in the background: one side's is not to fall into the other's time. */
const SETTLE_MS = 40;

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
    'ADD and DEL of a Pod through the CNI executable, beside the reference plugins bridge, host-local, portmap and bandwidth',
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
      timeout: 300_000,
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
function hostPort(pod: number) {
  return { portMappings: [{ hostPort: 20_000 + pod, containerPort: 80, protocol: 'tcp' }] };
}

/** Bits a second, and bits. */
const BANDWIDTH = {
  bandwidth: { ingressRate: 1e9, ingressBurst: 1e7, egressRate: 1e9, egressBurst: 1e7 },
};

/**
 * A shell that runs a network's plugins for the Pod that is its argument: starting a process costs it little, so that the
 * plugins are what is measured. `configs` has a file for each Pod and plugin, those of later plugins without the last brace.
 */
function parallelScript(network: Network, configs: string): string {
  const [first, ...later] = network.map(({ executable }, i) => ({
    executable,
    config: `${configs}/$1.${i}`,
  }));
  const variables = 'export CNI_CONTAINERID=$1 CNI_NETNS=/run/netns/$1';
  if (first === undefined) return 'exit 1';
  if (later.length === 0) return `${variables}; exec ${first.executable} < ${first.config} > /dev/null`;
  const steps = later.map(
    ({ executable, config }) =>
      `read -r config < ${config}; result=$(printf '%s,"prevResult":%s}' "$config" "$result" | ${executable}) || exit 1`,
  );
  const begin = `result=$(${first.executable} < ${first.config}) || exit 1`;
  // "$result" may have lines: JSON does not mind.
  return [variables, begin, ...steps].join('\n');
}

async function runTogether(
  network: Network,
  pods: readonly Pod[],
  at: number,
  configs: string,
): Promise<void> {
  mkdirSync(configs, { recursive: true });
  for (const { name, number } of pods)
    for (const [i, { config }] of network.entries()) {
      const json = JSON.stringify(config(number));
      writeFileSync(`${configs}/${name}.${i}`, `${i === 0 ? json : json.slice(0, -1)}\n`);
    }
  const args = ['-P', String(at), '-n', '1', 'sh', '-c', parallelScript(network, configs), 'sh'];
  const child = spawn('xargs', args, {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { PATH: process.env['PATH'], CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0', CNI_PATH: REFERENCE },
  });
  child.stdin.end(pods.map(({ name }) => name).join('\n'));
  const [code]: readonly unknown[] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${at} ADDs at once: xargs ended with ${code}`);
}

/** Ours needs no word for masquerading: one rule of the agent serves all Pods. */
function podwayNetworks(executable: string) {
  const config = { cniVersion: '1.0.0', name: 'podway', type: 'podway' };
  return {
    plain: [{ executable, config: () => config }],
    chain: [
      {
        executable,
        config: (pod: number) => ({ ...config, runtimeConfig: { ...hostPort(pod), ...BANDWIDTH } }),
      },
    ],
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
      {
        executable: executable('bandwidth'),
        config: () => ({ ...config, type: 'bandwidth', runtimeConfig: BANDWIDTH }),
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
  type SideEntry = [side: string, networks: typeof podway];
  const times = new Map<string, number[]>();
  const note = (name: string, ms: number) => times.set(name, [...(times.get(name) ?? []), ms]);
  const namespace = (pod: Pod): Disposable => {
    kernel.createNetns(`/run/netns/${pod.name}`)[Symbol.dispose]();
    return { [Symbol.dispose]: () => kernel.deleteNetns(`/run/netns/${pod.name}`) };
  };

  /** In turns, so that what else the machine does falls on both. The first few are not counted: an agent runs for weeks. */
  const alternate = async (kind: 'plain' | 'chain', rounds: number, label: string) => {
    for (let round = -WARM_UP; round < rounds; round++)
      for (const [side, networks] of Object.entries(sides)) {
        const pod = { name: `pod-${side}`, number: 0 };
        using _ = namespace(pod);
        await sleep(systemClock, SETTLE_MS);
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
    { pods: count, at, rounds }: typeof PARALLEL | typeof CHAIN_PARALLEL,
    label: string,
  ) => {
    for (const [side, networks] of Array(rounds).fill(Object.entries(sides)).flat() as SideEntry[]) {
      using namespaces = new DisposableStack();
      const pods = Array.from({ length: count }, (_, number) => ({ name: `many-${number}`, number }));
      for (const pod of pods) namespaces.use(namespace(pod));
      const started = performance.now();
      await runTogether(networks[kind], pods, at, join(dir, 'configs', side, kind));
      note(`${side} ADD${label}, ${at} at once`, (performance.now() - started) / count);
      for (const pod of pods) await run(networks[kind], 'DEL', pod);
    }
  };

  const chained = ', with masquerade, a host port and limits';
  await alternate('plain', ROUNDS, '');
  await together('plain', PARALLEL, '');
  await alternate('chain', CHAIN_ROUNDS, chained);
  await together('chain', CHAIN_PARALLEL, chained);

  const grown = Array.from({ length: GROWN - 1 }, (_, number) => ({ name: `grown-${number}`, number }));
  for (const pod of grown) namespace(pod);
  await runTogether(podway.plain, grown, PARALLEL.at, join(dir, 'configs', 'grown'));
  const emptyDir = join(dir, 'empty');
  mkdirSync(emptyDir);
  const emptyAgent = await startAgent(emptyDir, client, ['unshare', '--net']);
  const nodes = {
    [`podway ADD, Pod ${GROWN} of a node`]: podway.plain,
    'podway ADD, first Pod of a node': podwayNetworks(join(emptyDir, 'podway')).plain,
  };
  for (let round = -WARM_UP; round < ROUNDS; round++)
    for (const [name, network] of Object.entries(nodes)) {
      const pod = { name: 'another', number: GROWN };
      using _ = namespace(pod);
      await sleep(systemClock, SETTLE_MS);
      const ms = await run(network, 'ADD', pod);
      await run(network, 'DEL', pod);
      if (round >= 0) note(name, ms);
    }
  for (const each of [agent, emptyAgent]) {
    const ended = once(each, 'exit');
    each.kill('SIGKILL');
    await ended;
  }
  rmSync(dir, { recursive: true });

  const medians = new Map([...times].map(([name, values]) => [name, median(values)]));
  const ratio = (a: string, b: string) => (medians.get(a) ?? Number.NaN) / (medians.get(b) ?? Number.NaN);
  const faster = (what: string) => ratio(`reference ${what}`, `podway ${what}`);
  const rounded = (value: number) => Math.round(value * 1000) / 1000;
  const figures = {
    addMs: medians.get('podway ADD') ?? Number.NaN,
    growthRatio: ratio(`podway ADD, Pod ${GROWN} of a node`, 'podway ADD, first Pod of a node'),
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

/** @param inside words that start a command somewhere else */
async function startAgent(
  dir: string,
  client: string,
  inside: readonly string[] = [],
): Promise<ChildProcess> {
  const program = resolve(import.meta.dirname, '../packages/cni/fixture-process.ts');
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', program];
  const [command = '', ...args] = [
    ...inside,
    ...node,
    dir,
    '10.244.0.0/16',
    ...(client === '' ? [] : [client]),
  ];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

if (process.argv[1] === import.meta.filename)
  process.stdout.write(JSON.stringify(await measure(process.argv[2] ?? '')));
