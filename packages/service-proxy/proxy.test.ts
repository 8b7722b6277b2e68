import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type IpAddress, parseIp } from '#ip';
import type { ConntrackEntry } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { createLogger, FakeClock, type LogRecord } from '#runtime';
import type { ProxyBackend } from './backend.ts';
import {
  balancedService,
  CLUSTER_IP,
  FACTS,
  NODE_ADDRESS,
  OTHER_NODE_ADDRESS,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
} from './behaviour/cluster.ts';
import type { HealthCheck } from './health-checks.ts';
import { createServiceProxy } from './proxy.ts';
import type { SyncReport } from './sync-report.ts';
import { type FrontendKey, frontendKey } from './table/entry.ts';
import { printTable, type ServiceTable } from './table/table.ts';

const NODE: Node = {
  metadata: { name: 'node1', labels: { 'topology.kubernetes.io/zone': 'east' } },
  spec: { podCIDR: '10.244.1.0/24' },
  status: {
    addresses: [
      { type: 'Hostname', address: 'node1' },
      { type: 'InternalIP', address: NODE_ADDRESS },
    ],
  },
};

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

function start(options: { readonly synced?: boolean; readonly flows?: ConntrackEntry[] } = {}) {
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

function flow(destination: IpAddress, port: number, source: IpAddress, sourcePort: number): ConntrackEntry {
  const client = { address: PODS.a, port: 4_000 };
  return {
    original: {
      source: client.address,
      sourcePort: client.port,
      destination,
      destinationPort: port,
      protocol: 17,
    },
    reply: { source, sourcePort, destination: client.address, destinationPort: client.port, protocol: 17 },
    mark: 0,
    status: 0,
    timeout: 30,
  };
}

describe('createServiceProxy', () => {
  test('writes nothing before every informer has synced', async () => {
    const { backend, services, slices, nodes, launch, run } = start({ synced: false });
    await using proxy = launch();
    await run();
    services.sync();
    nodes.sync();
    await run();
    services.set(service());
    await run();
    assert.deepEqual(backend.calls, []);
    assert.equal(proxy.lastUpdated, undefined);
    slices.sync();
    await run();
    assert.deepEqual(backend.calls, ['observe', 'apply default/web']);
    assert.ok(proxy.lastUpdated);
  });

  test('a kernel that cannot do it: the log says what is missing', async () => {
    const { backend, records, launch, run } = start();
    backend.missing = ['missing: NAT'];
    backend.broken = true;
    await using proxy = launch();
    await run();
    assert.match(String(records[0]?.fields['error']), /cannot be carried by recording: missing: NAT/);
    assert.equal(proxy.lastUpdated, undefined);
  });

  test('a burst of changes is one apply, with the Services that differ', async () => {
    const { backend, services, slices, launch, run } = start();
    await using _proxy = launch();
    await run();
    backend.calls.length = 0;
    services.set(
      service({ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }, { metadata: { name: 'other' } }),
    );
    slices.set(slice(['b', 'c']));
    slices.set(slice(['b', 'c', 'd']));
    await run();
    assert.deepEqual(backend.calls, ['apply default/other default/web']);
    assert.match(backend.table, /10\.244\.1\.11:8080\* 10\.244\.2\.10:8080 10\.244\.2\.11:8080/);
  });

  test('a failed apply is repeated with the same Services and those that came since', async () => {
    const { backend, services, launch, run } = start();
    await using proxy = launch();
    backend.broken = true;
    await run();
    services.set(
      service({ clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7'] }, { metadata: { name: 'other' } }),
    );
    assert.deepEqual(proxy.pending, { services: 2, endpointSlices: 1, triggerTimes: [], since: 1_000 });
    backend.broken = false;
    await run(100);
    assert.equal(proxy.pending.since, undefined);
    assert.deepEqual(backend.calls, ['observe', 'apply default/web', 'apply default/other default/web']);
  });

  test('another mechanism goes once this one serves, for as many calls as it needs', async () => {
    const { backend, predecessor, launch, run } = start();
    backend.broken = true;
    predecessor.lingers = true;
    await using _proxy = launch();
    await run();
    assert.deepEqual(predecessor.calls, ['observe']);
    backend.broken = false;
    await run(100);
    assert.deepEqual(predecessor.calls, ['observe', 'retire']);
    predecessor.lingers = false;
    await run(2_000);
    await run(2_000);
    assert.deepEqual(predecessor.calls, ['observe', 'retire', 'retire']);
  });

  test('another mechanism that this kernel cannot be asked for does not keep this one from serving', async () => {
    const { backend, predecessor, launch, run } = start();
    predecessor.unreadable = true;
    await using proxy = launch();
    await run();
    assert.deepEqual(backend.calls, ['observe', 'apply default/web']);
    assert.notEqual(proxy.lastUpdated, undefined);
  });

  test('a flow that leads to the mechanism itself is the mechanism’s', async () => {
    const relayed = flow(CLUSTER_IP, SERVICE_PORT, NODE_ADDRESS, 40_000);
    const left = flow(CLUSTER_IP, SERVICE_PORT, PODS.c, TARGET_PORT);
    const { backend, services, deleted, launch, run } = start({ flows: [relayed, left] });
    backend.ownsFlow = ({ reply }) => reply.source === NODE_ADDRESS;
    services.set(service({ ports: [{ name: 'main', protocol: 'UDP', port: SERVICE_PORT }] }));
    await using _proxy = launch();
    await run();
    assert.deepEqual(deleted, [left.original]);
  });

  test('a node that comes with an external address of a Service has that Service decided again', async () => {
    const { backend, services, nodes, launch, run } = start();
    services.set(service({ externalIPs: [OTHER_NODE_ADDRESS] }));
    await using _proxy = launch();
    await run();
    backend.calls.length = 0;
    const node = (name: string, address: IpAddress): Node => ({
      metadata: { name },
      status: { addresses: [{ type: 'InternalIP', address }] },
    });
    nodes.set(node('node3', PODS.d));
    await run();
    assert.deepEqual(backend.calls, []);
    nodes.set(node('node2', OTHER_NODE_ADDRESS));
    await run();
    assert.deepEqual(backend.calls, ['apply default/web']);
    assert.match(backend.table, /ExternalIP 172\.30\.0\.12:80.* at another node/);
  });

  test('a family that this node has not is named once, whatever the number of Services, and again after it was there', async () => {
    const { services, nodes, records, launch, run } = start();
    const dual = (name: string, last: number) =>
      services.set(
        service(
          { clusterIPs: [`10.96.0.${last}`, `fd00:96::${last}`] },
          { metadata: { namespace: 'default', name } },
        ),
      );
    const named = () => records.filter(({ message }) => message.includes('has no IPv6')).length;
    dual('one', 51);
    dual('two', 52);
    await using proxy = launch();
    await run();
    dual('three', 53);
    await run();
    assert.equal(named(), 1);
    assert.deepEqual(
      proxy.table.services.get('default/one')?.frontends.map(({ address }) => address),
      ['10.96.0.51'],
    );
    const addresses = [...(NODE.status?.addresses ?? []), { type: 'InternalIP', address: 'fd00::b' }];
    nodes.set({ ...NODE, status: { ...NODE.status, addresses } });
    await run();
    assert.equal(proxy.table.services.get('default/one')?.frontends.length, 2);
    nodes.set(NODE);
    await run();
    assert.equal(named(), 2);
  });

  test('what someone else broke is observed and written again', async () => {
    const { backend, launch, run } = start();
    await using _proxy = launch();
    await run();
    backend.calls.length = 0;
    await run(2_000);
    assert.deepEqual(backend.calls, ['apply']);
    backend.whole = false;
    await run(2_000);
    assert.deepEqual(backend.calls, ['apply', 'observe', 'apply']);
  });

  test('the node’s zone and Pod range come from its Node object and are followed', async () => {
    const { nodes, launch, run } = start();
    await using proxy = launch();
    await run();
    assert.deepEqual(proxy.table.facts, FACTS);
    nodes.set({ ...NODE, metadata: { name: 'node1', labels: {} } });
    nodes.set({ ...NODE, metadata: { name: 'node2' } });
    await run();
    assert.equal(proxy.table.facts.zone, undefined);
  });

  test('flows to an endpoint that left are deleted, those of a Service that went while the agent was away too', async () => {
    const gone = parseIp('10.96.0.77');
    const main = { name: 'main', protocol: 'UDP' };
    const valid = flow(CLUSTER_IP, SERVICE_PORT, PODS.b, TARGET_PORT);
    const left = flow(CLUSTER_IP, SERVICE_PORT, PODS.c, TARGET_PORT);
    const ofGone = flow(gone, 53, PODS.d, 5353);
    const foreign = flow(parseIp('10.96.0.78'), 53, PODS.d, 5353);
    const { backend, services, slices, deleted, launch, run, listed } = start({
      flows: [valid, left, ofGone, foreign],
    });
    backend.left = [frontendKey(gone, 'UDP', 53)];
    services.set(service({ ports: [{ ...main, port: SERVICE_PORT }] }));
    slices.set(slice(['b'], { ports: [{ ...main, port: TARGET_PORT }] }));
    await using _proxy = launch();
    await run();
    assert.deepEqual(deleted, [left.original, ofGone.original]);
    const before = listed();
    slices.set(slice(['b', 'd'], { ports: [{ ...main, port: TARGET_PORT }] }));
    await run();
    assert.equal(listed(), before, 'a new endpoint strands no flow: conntrack is not read');
  });

  test('onSync: says what was done and how long Pods’ changes took, healthChecks: what to answer', async () => {
    const { services, slices, reports, checks, launch, run } = start();
    const policy = { externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000 };
    services.set(balancedService(policy));
    await using _proxy = launch();
    await run();
    assert.deepEqual(checks.get('default/web'), { port: 32_000, localEndpoints: 1 });
    const changed = slice(['c']);
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': '1970-01-01T00:00:00Z' };
    slices.set({ ...changed, metadata: { ...changed.metadata, annotations } });
    await run();
    const { seconds, programmingSeconds, ...report } = reports.at(-1) ?? assert.fail('no report');
    assert.deepEqual(report, {
      full: false,
      changedServices: 1,
      serviceChanges: 0,
      endpointSliceChanges: 1,
      writes: 0,
      deletedFlows: 0,
      flowSeconds: undefined,
      queued: 1010,
      withoutLocalEndpoints: { internal: 0, external: 1 },
    });
    assert.equal(reports[0]?.full, true);
    assert.deepEqual(programmingSeconds, [1.02]);
    assert.ok(seconds >= 0);
    assert.deepEqual(checks.get('default/web'), { port: 32_000, localEndpoints: 0 });
    services.delete(balancedService(policy));
    await run();
    assert.equal(checks.get('default/web'), undefined);
  });

  test('disposing stops it and leaves what is programmed', async () => {
    const { backend, slices, launch, run } = start();
    const proxy = launch();
    await run();
    await proxy[Symbol.asyncDispose]();
    backend.calls.length = 0;
    slices.set(slice(['c']));
    await run(10_000);
    assert.deepEqual(backend.calls, []);
  });
});
