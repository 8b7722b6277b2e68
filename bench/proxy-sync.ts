/**
 * What it costs to keep Services in the kernel: the agent's own controller and backend, fed by hand in the place of watches, in a
 * network namespace of its own for each size.
 */
import { execFileSync } from 'node:child_process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type IpAddress, ipAdd, parseIp, parsePrefix } from '#ip';
import { linuxKernel } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { silentLogger } from '#runtime';
import { createServiceProxy, NftablesBackend, type SyncReport } from '#service-proxy';
import { type Benchmark, median, type Row } from './benchmark.ts';

interface Size {
  readonly services: number;
  readonly endpoints: number;
}

interface Measured {
  readonly coldSeconds: number;
  readonly changeMs: number;
  readonly changeP99Ms: number;
  readonly addMs: number;
  readonly restartSeconds: number;
  /** The longest time in which nothing else ran. */
  readonly restartBlockMs: number;
  readonly restartWrites: number;
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  /** With two copies of the objects' decisions: those of the one that ended are garbage that may still be there. */
  readonly restartPeakMiB: number;
}

const SIZES: readonly Size[] = [
  { services: 1_000, endpoints: 10 },
  { services: 10_000, endpoints: 10 },
  { services: 44_125, endpoints: 2 },
];
const CHANGES = 200;

export const benchmark: Benchmark = {
  name: 'proxy-sync',
  about: 'Services into nftables: cold start, one endpoint changed, one Service added, clean restart',
  async run({ progress }) {
    const rows: Row[] = [];
    const figures: Record<string, number> = {};
    for (const size of SIZES) {
      progress(`${size.services} Services with ${size.endpoints} endpoints`);
      const measured = measureApart(size);
      rows.push({ ...size, ...measured });
      if (size.services === 10_000) {
        figures['cold10kSeconds'] = measured.coldSeconds;
        figures['change10kMs'] = measured.changeMs;
        figures['change10kP99Ms'] = measured.changeP99Ms;
        figures['agentMiB10k'] = measured.peakMiB;
        figures['restartWrites'] = measured.restartWrites;
      }
      if (size.services === 44_125) figures['cold44kSeconds'] = measured.coldSeconds;
    }
    return { figures, rows };
  },
};

function measureApart(size: Size): Measured {
  const rootless = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const self = [process.execPath, '--disable-warning=ExperimentalWarning', import.meta.filename];
  const output = execFileSync('unshare', [...rootless, '--net', ...self, JSON.stringify(size)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 180_000,
  });
  return JSON.parse(output) as Measured;
}

/** Objects that are there from the start, and changed by hand. */
class Collection<T extends { readonly metadata?: { readonly namespace?: string; readonly name?: string } }>
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
    const { namespace, name } = object.metadata ?? {};
    const key = namespace === undefined ? `${name}` : `${namespace}/${name}`;
    const old = this.#objects.get(key);
    this.#objects.set(key, object);
    for (const listener of this.#listeners) listener(object, old);
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

const FIRST_SERVICE = parseIp('10.96.1.0');
const FIRST_POD = parseIp('11.0.0.0');
const NODES = 100;

function service(i: number): Service {
  const address: IpAddress = ipAdd(FIRST_SERVICE, i);
  return {
    metadata: { namespace: 'default', name: `service-${i}` },
    spec: {
      type: 'ClusterIP',
      clusterIP: address,
      clusterIPs: [address],
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
    },
  };
}

/** @param shift another set of Pods behind the same Service */
function slice(i: number, endpoints: number, shift = 0): EndpointSlice {
  return {
    metadata: {
      namespace: 'default',
      name: `service-${i}-x`,
      labels: { 'kubernetes.io/service-name': `service-${i}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpoints }, (_, e) => ({
      addresses: [ipAdd(FIRST_POD, i * endpoints + e + (e === 0 ? shift : 0))],
      nodeName: `node${(i + e) % NODES}`,
      conditions: { ready: true, serving: true, terminating: false },
    })),
  };
}

async function measure({ services: count, endpoints }: Size): Promise<Measured> {
  const services = new Collection<Service>();
  const slices = new Collection<EndpointSlice>();
  const nodes = new Collection<Node>();
  nodes.set({
    metadata: { name: 'node1' },
    spec: { podCIDRs: ['11.0.0.0/24'] },
    status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] },
  });
  for (let i = 0; i < count; i++) {
    services.set(service(i));
    slices.set(slice(i, endpoints));
  }
  const netns = linuxKernel().currentNetns();
  let written = 0;
  const start = () =>
    createServiceProxy(
      {
        services,
        endpointSlices: slices,
        nodes,
        backend: new NftablesBackend(netns.nft),
        conntrack: netns.conntrack,
        logger: silentLogger,
        onSync: ({ writes }: SyncReport) => {
          written += writes;
        },
      },
      {
        nodeName: 'node1',
        clusterCIDRs: [parsePrefix('11.0.0.0/8')],
        serviceCIDRs: [parsePrefix('10.96.0.0/12')],
        localAddresses: [],
      },
    );
  const timed = async (work: () => Promise<void>) => {
    const begun = performance.now();
    await work();
    return performance.now() - begun;
  };

  let proxy = start();
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
  const runningMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  await proxy[Symbol.asyncDispose]();
  written = 0;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const restartMs = await timed(() => {
    proxy = start();
    return proxy.settled();
  });
  delay.disable();
  const restartWrites = written;
  await proxy[Symbol.asyncDispose]();
  const { user, system } = process.cpuUsage();
  const sorted = changes.toSorted((a, b) => a - b);
  const round = (value: number, digits = 2) => Number(value.toFixed(digits));
  return {
    coldSeconds: round(coldMs / 1000),
    changeMs: round(median(changes)),
    changeP99Ms: round(sorted[Math.floor(CHANGES * 0.99)] ?? 0),
    addMs: round(median(adds)),
    restartSeconds: round(restartMs / 1000),
    restartBlockMs: round(delay.max / 1e6, 0),
    restartWrites,
    cpuSeconds: round((user + system) / 1e6, 1),
    peakMiB: runningMiB,
    restartPeakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  };
}

const [, script, size] = process.argv;
if (script === import.meta.filename && size !== undefined)
  process.stdout.write(JSON.stringify(await measure(JSON.parse(size) as Size)));
