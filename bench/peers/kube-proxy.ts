/**
 * kube-proxy on the same Services, in its iptables mode, fed by the least of an API server that it takes: lists and watches of Services, Endpoints
 * and Nodes. In a network namespace of its own, whose ruleset generation tells when something has come to the kernel.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { linuxKernel } from '#kernel';
import type { EndpointSlice, Service } from '#kube-api';

export interface PeerObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  /** Another state of the slices, one by one. */
  readonly changes: readonly EndpointSlice[];
}

export interface PeerMeasured {
  /** undefined: not everything was there within the time limit. */
  readonly coldSeconds: number | undefined;
  readonly changeMs: readonly number[];
  readonly peakMiB: number;
}

const PORT = 8001;
const POLL_MS = 2;
const CHANGE_LIMIT_MS = 20_000;
/** After so long without a transaction a change is through; and kube-proxy's pause between two syncs is over. */
const QUIET_MS = 1_200;

/** @param program path of kube-proxy */
export async function measureKubeProxy(
  program: string,
  { services, slices, changes }: PeerObjects,
  limitMs: number,
): Promise<PeerMeasured> {
  const netns = linuxKernel().currentNetns();
  netns.links.set('lo', { up: true });
  const node = {
    metadata: { name: 'node1', resourceVersion: '1' },
    spec: { podCIDR: '11.0.0.0/24' },
    status: { addresses: [{ type: 'InternalIP', address: '127.0.0.1' }] },
  };
  const versioned = <T extends Service>(object: T): T => ({
    ...object,
    metadata: { ...object.metadata, uid: object.metadata?.name ?? '', resourceVersion: '1' },
  });
  const lists: Readonly<Record<string, { readonly kind: string; readonly items: readonly object[] }>> = {
    '/api/v1/services': { kind: 'ServiceList', items: services.map(versioned) },
    '/api/v1/endpoints': { kind: 'EndpointsList', items: slices.map((slice) => endpointsOf(slice, '1')) },
    '/api/v1/nodes': { kind: 'NodeList', items: [node] },
    '/api/v1/nodes/node1': { kind: 'Node', items: [] },
  };
  const watches: ServerResponse[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://server');
    const list = lists[url.pathname];
    response.setHeader('content-type', 'application/json');
    if (url.pathname === '/api/v1/nodes/node1')
      response.end(JSON.stringify({ kind: 'Node', apiVersion: 'v1', ...node }));
    else if (list === undefined) response.writeHead(404).end('{}');
    else if (url.searchParams.has('watch')) {
      response.flushHeaders();
      if (url.pathname === '/api/v1/endpoints') watches.push(response);
    } else response.end(JSON.stringify({ apiVersion: 'v1', metadata: { resourceVersion: '1' }, ...list }));
  });
  await new Promise<void>((resolve) => server.listen(PORT, '127.0.0.1', resolve));
  const directory = mkdtempSync('/tmp/podway-bench-');
  const kubeconfig = join(directory, 'kubeconfig');
  const cluster = { name: 'c', cluster: { server: `http://127.0.0.1:${PORT}` } };
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [cluster],
      contexts: [context],
      users: [{ name: 'u', user: {} }],
      'current-context': 'c',
    }),
  );
  const child = spawn(
    program,
    [
      ...['--kubeconfig', kubeconfig, '--proxy-mode=iptables', '--hostname-override=node1'],
      ...[
        '--cluster-cidr=11.0.0.0/8',
        '--feature-gates=EndpointSliceProxying=false',
        '--bind-address=127.0.0.1',
      ],
      ...['--conntrack-max-per-core=0', '--conntrack-min=0', '--conntrack-tcp-timeout-established=0s'],
      '--conntrack-tcp-timeout-close-wait=0s',
    ],
    { stdio: 'ignore' },
  );
  try {
    const begun = performance.now();
    const wanted = slices.reduce((count, { endpoints }) => count + (endpoints?.length ?? 0), 0);
    while (translations() < wanted) {
      if (performance.now() - begun > limitMs)
        return { coldSeconds: undefined, changeMs: [], peakMiB: peakMiB(child.pid) };
      await pause(200);
    }
    const coldSeconds = (performance.now() - begun) / 1000;
    await lastTransaction(netns.nft, netns.nft.generation() - 1);
    const changeMs: number[] = [];
    for (const [i, slice] of changes.entries()) {
      const before = netns.nft.generation();
      const changed = performance.now();
      const event = JSON.stringify({ type: 'MODIFIED', object: endpointsOf(slice, String(i + 2)) });
      for (const watch of watches) watch.write(`${event}\n`);
      changeMs.push((await lastTransaction(netns.nft, before)) - changed);
    }
    return { coldSeconds, changeMs, peakMiB: peakMiB(child.pid) };
  } finally {
    child.kill('SIGKILL');
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true });
  }
}

/** When the last of a series of transactions after the one of that number was. */
async function lastTransaction(nft: { generation(): number }, before: number): Promise<number> {
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

function endpointsOf({ metadata, endpoints, ports }: EndpointSlice, resourceVersion: string): object {
  const name = metadata?.labels?.['kubernetes.io/service-name'];
  return {
    kind: 'Endpoints',
    apiVersion: 'v1',
    metadata: { namespace: metadata?.namespace, name, uid: name, resourceVersion },
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
