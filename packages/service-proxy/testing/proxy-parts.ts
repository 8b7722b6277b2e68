import type { ConntrackEntry } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { createLogger, FakeClock, type LogRecord } from '#runtime';
import type { ProxyBackend } from '../backend.ts';
import { FACTS, NODE_ADDRESS, service, slice } from '../behaviour/cluster.ts';
import type { HealthCheck } from '../health-checks.ts';
import { createServiceProxy } from '../proxy.ts';
import type { SyncReport } from '../sync-report.ts';
import type { FrontendKey } from '../table/entry.ts';
import { printTable, type ServiceTable } from '../table/table.ts';

/** The node that the proxy is on. */
export const NODE: Node = {
  metadata: { name: 'node1', labels: { 'topology.kubernetes.io/zone': 'east' } },
  spec: { podCIDR: '10.244.1.0/24' },
  status: {
    addresses: [
      { type: 'Hostname', address: 'node1' },
      { type: 'InternalIP', address: NODE_ADDRESS },
    ],
  },
};

/** A mechanism that writes down what it is asked for. */
class RecordingBackend implements ProxyBackend {
  readonly name = 'recording';
  readonly calls: string[] = [];
  /** Keys that an earlier life left. */
  left: readonly FrontendKey[] = [];
  broken = false;
  missing: readonly string[] = [];
  whole = true;
  /** Whether {@link retire} leaves something for the next time. */
  lingers = false;
  /** Whether {@link observe} fails. */
  unreadable = false;
  table = '';
  ownsFlow = (_: ConntrackEntry) => false;

  async probe() {
    return this.missing;
  }
  async observe() {
    this.calls.push('observe');
    if (this.unreadable) throw new Error('no such thing in this kernel');
    this.whole = true;
    return { frontends: new Set(this.left) };
  }
  async apply(table: ServiceTable, changed: Iterable<string>) {
    this.calls.push(`apply ${[...changed].sort().join(' ')}`.trim());
    if (this.broken) throw new Error('the kernel says no');
    this.table = printTable(table);
    return { writes: 0 };
  }
  async intact() {
    return this.whole;
  }
  async cleanup() {}
  async retire() {
    this.calls.push('retire');
    return !this.lingers;
  }
  async [Symbol.asyncDispose]() {}
}

/** A proxy over informers and a mechanism in memory, and a clock that stands still; `launch` starts it. */
export function proxyParts(options: { readonly synced?: boolean; readonly flows?: ConntrackEntry[] } = {}) {
  const clock = new FakeClock(1_000);
  const backend = new RecordingBackend();
  const predecessor = new RecordingBackend();
  const flows = options.flows ?? [];
  const deleted: ConntrackEntry['original'][] = [];
  const synced = { synced: options.synced ?? true };
  const services = new MemoryInformer<Service>([service()], synced);
  const slices = new MemoryInformer<EndpointSlice>([slice(['b'])], synced);
  const nodes = new MemoryInformer<Node>([NODE], synced);
  let listed = 0;
  const records: LogRecord[] = [];
  const reports: SyncReport[] = [];
  const checks = new Map<string, HealthCheck | undefined>();
  const launch = () =>
    createServiceProxy(
      {
        services,
        endpointSlices: slices,
        nodes,
        backend,
        predecessors: [predecessor],
        conntrack: {
          list: async ({ protocol } = {}) => {
            listed++;
            return flows.filter(({ original }) => original.protocol === protocol);
          },
          delete: ({ original }) => void deleted.push(original),
        },
        logger: createLogger((record) => void records.push(record)),
        clock,
        onSync: (report) => void reports.push(report),
        healthChecks: { set: (service, check) => void checks.set(service, check) },
      },
      {
        nodeName: 'node1',
        clusterCIDRs: FACTS.clusterCIDRs,
        serviceCIDRs: FACTS.serviceCIDRs,
        localAddresses: FACTS.localAddresses,
      },
    );
  /** Lets promises and timers run. */
  const run = async (ms = 10) => {
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    clock.advance(ms);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  };
  return {
    backend,
    predecessor,
    clock,
    services,
    slices,
    nodes,
    deleted,
    records,
    reports,
    checks,
    launch,
    run,
    listed: () => listed,
  };
}
