/** The whole agent on many Services: a process of its own, fed by watches, in the network namespace of the caller. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseIp } from '#ip';
import { linuxKernel } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import { type KubeObject, kubeconfigFor, LeastApiServer } from '../peers/least-api-server.ts';

interface AgentMeasured {
  /** From the start of the process until all Services are in the kernel. */
  readonly coldSeconds: number;
  /** From the event of the watch to the kernel. */
  readonly changeMs: readonly number[];
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  /** After everything, at rest. */
  readonly restMiB: number;
}

const PROGRAM = resolve(import.meta.dirname, '../../dist/podway.js');
const METRICS = '127.0.0.1:10249';
const LIMIT_MS = 30_000;
const POLL_MS = 1;
/** The agent gives back what only its start needed 10 s after it. */
const REST_MS = 12_000;
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';

export interface AgentObjects {
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
  /** Other states of slices, one after the other. */
  readonly changes: readonly EndpointSlice[];
}

/** @param nodeFlags of Node.js */
export async function measureAgent(
  nodeFlags: readonly string[],
  node: Node,
  { services, slices, changes }: AgentObjects,
): Promise<AgentMeasured> {
  const netns = linuxKernel().currentNetns();
  netns.links.set('lo', { up: true });
  netns.links.add({ kind: 'bridge', name: 'eth0', up: true });
  for (const { address } of node.status?.addresses ?? [])
    netns.addresses.add({ link: 'eth0', address: parseIp(address), prefixLength: 16 });
  const stored = (items: readonly KubeObject[]) => items.map((item) => asStored(item, 1));
  using server = new LeastApiServer({
    '/api/v1/services': { apiVersion: 'v1', kind: 'Service', items: stored(services) },
    '/api/v1/nodes': { apiVersion: 'v1', kind: 'Node', items: stored([node]) },
    '/api/v1/namespaces': {
      apiVersion: 'v1',
      kind: 'Namespace',
      items: stored([{ metadata: { name: 'default' } }]),
    },
    [SLICES]: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', items: stored(slices) },
  });
  const directory = mkdtempSync('/tmp/podway-bench-');
  const kubeconfig = kubeconfigFor(await server.listen(), directory);
  const own = (name: string) => join(directory, name);
  const begun = performance.now();
  const agent = spawn(
    process.execPath,
    [
      ...nodeFlags,
      ...[PROGRAM, 'agent', '--node-name', node.metadata?.name ?? '', '--kubeconfig', kubeconfig],
      ...['--cluster-cidr', '11.0.0.0/8', '--service-cidr', '10.96.0.0/12', '--cluster-dns', '10.96.0.10'],
      ...['--run-dir', own('run'), '--state-dir', own('state')],
      ...['--cni-conf-dir', own('net.d'), '--cni-bin-dir', own('bin'), '--metrics-address', METRICS],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  try {
    while ((await metric('podway_services')) !== services.length) {
      if (performance.now() - begun > LIMIT_MS)
        throw new Error(`the agent is not ready after ${LIMIT_MS} ms`);
      await pause(50);
    }
    // The metric counts decisions; they are in the kernel when the first run has ended.
    while ((await metric('kubeproxy_sync_proxy_rules_last_timestamp_seconds')) === undefined) await pause(20);
    const coldSeconds = (performance.now() - begun) / 1000;
    await pause(REST_MS);
    const changeMs: number[] = [];
    for (const [i, slice] of changes.entries()) {
      const before = netns.nft.generation();
      const changed = performance.now();
      server.modify(SLICES, asStored(slice, i + 2));
      while (netns.nft.generation() === before) {
        if (performance.now() - changed > LIMIT_MS) throw new Error('the agent did not follow a change');
        await pause(POLL_MS);
      }
      changeMs.push(performance.now() - changed);
    }
    return { coldSeconds, changeMs, ...usage(agent.pid) };
  } finally {
    agent.kill('SIGKILL');
    rmSync(directory, { recursive: true });
  }
}

/** With what a real server adds to each object, so that reading it costs what it costs. */
function asStored(object: KubeObject, version: number): KubeObject {
  const { namespace = '', name = '' } = object.metadata ?? {};
  const ports = { '.': {}, 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:protocol': {} } };
  return {
    ...object,
    metadata: {
      ...object.metadata,
      uid: `${namespace}-${name}`.padEnd(36, '0'),
      resourceVersion: String(version),
      creationTimestamp: '2026-01-01T00:00:00Z',
      managedFields: [
        {
          apiVersion: 'v1',
          fieldsType: 'FieldsV1',
          fieldsV1: { 'f:spec': { 'f:clusterIP': {}, 'f:ports': ports } },
          manager: 'kube-controller-manager',
          operation: 'Update',
          time: '2026-01-01T00:00:00Z',
        },
      ],
    },
  };
}

async function metric(name: string): Promise<number | undefined> {
  const text = await fetch(`http://${METRICS}/metrics`, { headers: { connection: 'close' } }).then(
    (response) => response.text(),
    () => '',
  );
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

function usage(pid: number | undefined) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mib = (field: string) =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024);
  // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second, behind the name in parentheses.
  const words = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const cpuSeconds = (Number(words[11]) + Number(words[12])) / 100;
  return { cpuSeconds, peakMiB: mib('VmHWM'), restMiB: mib('VmRSS') };
}

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms));
