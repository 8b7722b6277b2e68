/**
 * kube-proxy on the same Services, in the mode that its version is at its best in, fed by the least of an API server that it takes. In a
 * network namespace of its own, whose ruleset generation tells when something has come to the kernel.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { KernelError, linuxKernel, type NetworkNamespace, type NftPort } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import { kubeconfigFor, LeastApiServer, type Listing } from './least-api-server.ts';

export interface PeerObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  /** Another state of the slices, one by one. */
  readonly changes: readonly EndpointSlice[];
}

export interface PeerMeasured {
  /** `kube-proxy v1.37.2, nftables` */
  readonly proxy: string;
  /** undefined: not everything was there within the time limit. */
  readonly coldSeconds: number | undefined;
  readonly changeMs: readonly number[];
  readonly peakMiB: number;
}

const POLL_MS = 2;
const COLD_POLL_MS = 200;
const CHANGE_LIMIT_MS = 60_000;
/** After so long without a transaction a change is through; and kube-proxy's pause between two syncs is over. */
const QUIET_MS = 1_200;
/** The first version whose nftables mode is not an alpha, and that can be told to watch EndpointSlices of discovery.k8s.io/v1. */
const NFTABLES_SINCE = 31;

const NODE: Node = {
  metadata: { name: 'node1', resourceVersion: '1' },
  spec: { podCIDR: '11.0.0.0/24', podCIDRs: ['11.0.0.0/24'] },
  status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
};

/** What differs between kube-proxy's versions, for us. */
interface Mode {
  readonly name: 'iptables' | 'nftables';
  readonly flags: readonly string[];
  /** Where it watches endpoints, and in which form. */
  readonly path: string;
  readonly listing: Pick<Listing, 'apiVersion' | 'kind'>;
  readonly form: (slice: EndpointSlice, resourceVersion: string) => Listing['items'][number];
  /** Whether the kernel has all of it. */
  readonly isWhole: (netns: NetworkNamespace, objects: PeerObjects) => Promise<boolean>;
}

const IPTABLES: Mode = {
  name: 'iptables',
  flags: ['--cluster-cidr=11.0.0.0/8', '--feature-gates=EndpointSliceProxying=false'],
  path: '/api/v1/endpoints',
  listing: { apiVersion: 'v1', kind: 'Endpoints' },
  form: endpointsOf,
  isWhole: async (_, { slices }) =>
    translations() >= slices.reduce((count, { endpoints }) => count + (endpoints?.length ?? 0), 0),
};

const NFTABLES: Mode = {
  name: 'nftables',
  flags: ['--cluster-cidr=11.0.0.0/8', '--nodeport-addresses=primary'],
  path: '/apis/discovery.k8s.io/v1/endpointslices',
  listing: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  form: (slice, resourceVersion) => ({ ...slice, metadata: { ...slice.metadata, resourceVersion } }),
  // A Service's element comes in one transaction with the chains that it leads to.
  isWhole: async ({ nft }, { services }) => (await elements(nft, 'service-ips')) >= services.length,
};

/** @param program path of kube-proxy */
export async function measureKubeProxy(
  program: string,
  objects: PeerObjects,
  limitMs: number,
): Promise<PeerMeasured> {
  const version = execFileSync(program, ['--version'], { encoding: 'utf8' })
    .replace('Kubernetes ', '')
    .trim();
  const mode = Number(/^v1\.(\d+)/.exec(version)?.[1] ?? 0) < NFTABLES_SINCE ? IPTABLES : NFTABLES;
  const netns = linuxKernel().currentNetns();
  netns.links.set('lo', { up: true });
  using server = new LeastApiServer({
    '/api/v1/nodes': { apiVersion: 'v1', kind: 'Node', items: [NODE] },
    '/api/v1/services': { apiVersion: 'v1', kind: 'Service', items: objects.services.map(versioned) },
    [mode.path]: { ...mode.listing, items: objects.slices.map((slice) => mode.form(slice, '1')) },
    '/apis/networking.k8s.io/v1/servicecidrs': {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'ServiceCIDR',
      items: [],
    },
  });
  const directory = mkdtempSync('/tmp/podway-bench-');
  const flags = [
    ...['--kubeconfig', kubeconfigFor(await server.listen(), directory)],
    ...[`--proxy-mode=${mode.name}`, '--hostname-override=node1', '--bind-address=127.0.0.1'],
    // What belongs to the whole machine is not a namespace's to set.
    ...['--conntrack-max-per-core=0', '--conntrack-min=0', '--conntrack-tcp-timeout-established=0s'],
    '--conntrack-tcp-timeout-close-wait=0s',
  ];
  const child = spawn(program, [...flags, ...mode.flags], { stdio: 'ignore' });
  const proxy = `kube-proxy ${version}, ${mode.name}`;
  try {
    const begun = performance.now();
    while (!(await mode.isWhole(netns, objects))) {
      if (performance.now() - begun > limitMs)
        return { proxy, coldSeconds: undefined, changeMs: [], peakMiB: peakMiB(child.pid) };
      if (child.exitCode !== null) throw new Error(`${program} ended with status ${child.exitCode}`);
      await pause(COLD_POLL_MS);
    }
    const coldSeconds = (performance.now() - begun) / 1000;
    await lastTransaction(netns.nft, netns.nft.generation() - 1);
    const changeMs: number[] = [];
    for (const [i, slice] of objects.changes.entries()) {
      const before = netns.nft.generation();
      const changed = performance.now();
      server.modify(mode.path, mode.form(slice, String(i + 2)));
      changeMs.push((await lastTransaction(netns.nft, before)) - changed);
    }
    return { proxy, coldSeconds, changeMs, peakMiB: peakMiB(child.pid) };
  } finally {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
}

/** @returns the file's path */
/** When the last of a series of transactions after the one of that number was. */
async function lastTransaction(nft: Pick<NftPort, 'generation'>, before: number): Promise<number> {
  const patience = performance.now() + CHANGE_LIMIT_MS;
  let generation = before;
  let last: number | undefined;
  while (last === undefined || performance.now() - last < QUIET_MS) {
    await pause(POLL_MS);
    const now = nft.generation();
    if (now !== generation) last = performance.now();
    else if (last === undefined && performance.now() > patience) throw new Error('kube-proxy did nothing');
    generation = now;
  }
  return last;
}

function translations(): number {
  const rules = execFileSync('iptables-save', ['-t', 'nat'], {
    encoding: 'utf8',
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return rules.split(' -j DNAT ').length - 1;
}

/** In a map of kube-proxy's table; none when there is no such map yet. */
async function elements(nft: NftPort, map: string): Promise<number> {
  try {
    return (await nft.listElements('ip', 'kube-proxy', map)).length;
  } catch (error) {
    if (error instanceof KernelError && error.errno === 'ENOENT') return 0;
    throw error;
  }
}

function versioned(service: Service): Service {
  const uid = service.metadata?.name ?? '';
  return { ...service, metadata: { ...service.metadata, uid, resourceVersion: '1' } };
}

/** The older form of a slice, for versions that know no discovery.k8s.io/v1. */
function endpointsOf({ metadata, endpoints, ports }: EndpointSlice, resourceVersion: string) {
  const name = metadata?.labels?.['kubernetes.io/service-name'] ?? '';
  return {
    metadata: { namespace: metadata?.namespace ?? '', name, uid: name, resourceVersion },
    subsets: [
      {
        addresses: (endpoints ?? []).map(({ addresses, nodeName }) => ({ ip: addresses[0], nodeName })),
        ports,
      },
    ],
  };
}

function peakMiB(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024);
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
