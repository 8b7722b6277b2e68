/**
 * What it costs to keep Services in the kernel: the agent's own controller and backend, fed by hand in the place of watches, in a
 * network namespace of its own for each size.
 */
import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { linuxKernel } from '#kernel';
import { measureAgent } from './agent/whole-agent.ts';
import { type Benchmark, median, type Row } from './benchmark.ts';
import { measureKubeProxy } from './peers/kube-proxy.ts';
import { fedProxy, NODE } from './proxy/fed-proxy.ts';
import { service, slice } from './proxy/objects.ts';
import { AGENT_NODE_FLAGS, nodeCommand, outputOf, sandboxedCommand } from './proxy/sandbox.ts';

interface Size {
  readonly services: number;
  readonly endpoints: number;
}

/** What a process of its own is asked for. */
interface Task extends Size {
  readonly measure: 'running' | 'restart' | 'agent' | 'kube-proxy';
  /** Path of the peer. */
  readonly program?: string;
}

interface Restarted {
  readonly restartSeconds: number;
  /** The longest time in which nothing else ran. */
  readonly restartBlockMs: number;
  readonly restartWrites: number;
  readonly restartPeakMiB: number;
}

type AgentRow = Row & { readonly peakMiB: number };

interface Measured extends Restarted {
  readonly coldSeconds: number;
  readonly changeMs: number;
  readonly changeP99Ms: number;
  readonly addMs: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

const SIZES: readonly Size[] = [
  { services: 1_000, endpoints: 10 },
  { services: 10_000, endpoints: 10 },
  { services: 44_125, endpoints: 2 },
];
const CHANGES = 200;
const AGENT_SIZES = SIZES.slice(1);
const AGENT_CHANGES = 100;
/** Paths of kube-proxies with colons between them, to measure them beside. */
const KUBE_PROXIES = (process.env['PODWAY_PEER_KUBE_PROXY'] ?? '').split(':').filter((path) => path !== '');
const PEER_SIZES = SIZES.slice(0, 2);
const PEER_LIMIT_SECONDS = 90;
const PEER_CHANGES = 5;

export const benchmark: Benchmark = {
  name: 'proxy-sync',
  about:
    'Services into nftables: cold start, one endpoint changed, one Service added, clean restart; the whole agent on them',
  async run({ progress }) {
    const rows: Row[] = [];
    const figures: Record<string, number> = {};
    // The launcher builds when sources are newer.
    execFileSync(resolve(import.meta.dirname, '../podway'), ['version']);
    const all: Measured[] = [];
    for (const size of SIZES) {
      progress(`${size.services} Services with ${size.endpoints} endpoints`);
      const measured = JSON.parse(apart({ ...size, measure: 'running' })) as Measured;
      all.push(measured);
      rows.push({ proxy: 'podway', ...size, ...measured });
      if (size.services === 10_000) {
        figures['cold10kSeconds'] = measured.coldSeconds;
        figures['change10kMs'] = measured.changeMs;
        figures['change10kP99Ms'] = measured.changeP99Ms;
        figures['restartWrites'] = measured.restartWrites;
      }
      if (size.services === 44_125) figures['cold44kSeconds'] = measured.coldSeconds;
    }
    const [small, middle, large] = all;
    if (small !== undefined && middle !== undefined && large !== undefined) {
      // Ten times the Services: 1 is linear. And 44 times: 1 is flat.
      figures['coldGrowth'] = round(Math.log10(middle.coldSeconds / small.coldSeconds));
      figures['changeGrowth'] = round(large.changeMs / small.changeMs);
    }
    for (const size of AGENT_SIZES) {
      progress(`the whole agent: ${size.services} Services with ${size.endpoints} endpoints`);
      const measured = JSON.parse(apart({ ...size, measure: 'agent' })) as AgentRow;
      rows.push({ ...measured, proxy: 'podway agent, whole', ...size });
      if (size.services === 10_000) figures['agentMiB10k'] = measured.peakMiB;
    }
    if (KUBE_PROXIES.length === 0)
      rows.push({ proxy: 'kube-proxy: PODWAY_PEER_KUBE_PROXY does not say where it is' });
    for (const program of KUBE_PROXIES)
      for (const size of PEER_SIZES) {
        progress(`${program}: ${size.services} Services with ${size.endpoints} endpoints`);
        rows.push(JSON.parse(apart({ ...size, measure: 'kube-proxy', program })) as Row);
      }
    return { figures, rows };
  },
};

/** Runs a task in a network namespace of its own. */
function apart(task: Task): string {
  return outputOf(sandboxedCommand(import.meta.filename, JSON.stringify(task)));
}

const prepare = (size: Size) => fedProxy(linuxKernel().currentNetns(), 'nftables', size);

const timed = async (work: () => Promise<void>): Promise<number> => {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
};
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const peakMiB = (): number => Math.round(process.resourceUsage().maxRSS / 1024);

/** What a new process costs that finds everything in place. */
async function restart(size: Size): Promise<Restarted> {
  const { start } = prepare(size);
  let written = 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const proxy = start(({ writes }) => {
    written += writes;
  });
  const ms = await timed(() => proxy.settled());
  delay.disable();
  await proxy[Symbol.asyncDispose]();
  return {
    restartSeconds: round(ms / 1000),
    restartBlockMs: round(delay.max / 1e6, 0),
    restartWrites: written,
    restartPeakMiB: peakMiB(),
  };
}

async function measure(size: Size): Promise<Measured> {
  const { services: count, endpoints } = size;
  const { services, slices, start } = prepare(size);
  const proxy = start();
  const coldMs = await timed(() => proxy.settled());
  const changes: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const at = (i * 37) % count;
    changes.push(
      await timed(() => {
        slices.set(slice(at, endpoints, 1_000_000 + i));
        return proxy.settled();
      }),
    );
  }
  const adds: number[] = [];
  for (let i = 0; i < 20; i++)
    adds.push(
      await timed(() => {
        slices.set(slice(count + i, endpoints));
        services.set(service(count + i));
        return proxy.settled();
      }),
    );
  const memory = peakMiB();
  const { user, system } = process.cpuUsage();
  await proxy[Symbol.asyncDispose]();
  // Takes away what was added and changed: the new process knows the first state only.
  const again = start();
  for (let i = 0; i < 20; i++) services.delete(service(count + i));
  for (let i = 0; i < count; i++) slices.set(slice(i, endpoints));
  await again.settled();
  await again[Symbol.asyncDispose]();
  const task = JSON.stringify({ ...size, measure: 'restart' });
  const restarted = JSON.parse(outputOf(nodeCommand(import.meta.filename, task))) as Restarted;
  const sorted = changes.toSorted((a, b) => a - b);
  return {
    coldSeconds: round(coldMs / 1000),
    changeMs: round(median(changes)),
    changeP99Ms: round(sorted[Math.floor(CHANGES * 0.99)] ?? 0),
    addMs: round(median(adds)),
    ...restarted,
    cpuSeconds: round((user + system) / 1e6, 1),
    peakMiB: memory,
  };
}

/** What is there, and other states of as many slices. */
function objects({ services: count, endpoints }: Size, changes: number) {
  const indices = Array.from({ length: count }, (_, i) => i);
  return {
    services: indices.map(service),
    slices: indices.map((i) => slice(i, endpoints)),
    changes: indices.slice(0, changes).map((i) => slice(i * 37, endpoints, 1_000_000 + i)),
  };
}

async function measureWholeAgent(size: Size): Promise<AgentRow> {
  const { changeMs, ...measured } = await measureAgent(AGENT_NODE_FLAGS, NODE, objects(size, AGENT_CHANGES));
  const sorted = changeMs.toSorted((a, b) => a - b);
  return {
    ...measured,
    coldSeconds: round(measured.coldSeconds),
    changeMs: round(median(changeMs)),
    changeP99Ms: round(sorted[Math.floor(changeMs.length * 0.99)] ?? 0),
  };
}

async function measurePeer(program: string, size: Size): Promise<Row> {
  const measured = await measureKubeProxy(program, objects(size, PEER_CHANGES), PEER_LIMIT_SECONDS * 1000);
  const { proxy, coldSeconds, changeMs } = measured;
  return {
    proxy,
    ...size,
    coldSeconds: coldSeconds === undefined ? `> ${PEER_LIMIT_SECONDS}` : round(coldSeconds),
    changeMs: changeMs.length === 0 ? '' : round(median(changeMs)),
    peakMiB: measured.peakMiB,
  };
}

async function run({ measure: what, program = '', ...size }: Task): Promise<unknown> {
  switch (what) {
    case 'running':
      return await measure(size);
    case 'restart':
      return await restart(size);
    case 'agent':
      return await measureWholeAgent(size);
    case 'kube-proxy':
      return await measurePeer(program, size);
  }
}

const [, script, task] = process.argv;
if (script === import.meta.filename && task !== undefined)
  process.stdout.write(JSON.stringify(await run(JSON.parse(task) as Task)));
