/**
 * What a Service costs its packets: a Pod talks to another Pod of its node by cluster IP and by the Pod's own address, in turn, with
 * 10, 1,000 and 10,000 Services programmed. One thread does all system calls of both ends, so no scheduler is measured: a packet goes
 * through both links, the node's rules and routes within the call that sends it.
 */
import { parseIp, parsePrefix } from '#ip';
import { linuxKernel } from '#kernel';
import { silentLogger, systemClock } from '#runtime';
import { buildTable, createBackend } from '#service-proxy';
import { type Benchmark, median, type Row } from './benchmark.ts';
import { CLUSTER_IP, MEASURED, makePods, PORT, SERVER, TARGET_PORT } from './proxy/measured-service.ts';
import { service, slice } from './proxy/objects.ts';
import { outputOf, sandboxedCommand } from './proxy/sandbox.ts';
import { connection, firstPacket, serverSockets, sockaddr, throughput } from './proxy/socket-calls.ts';

const SIZES = [10, 1_000, 10_000];
const ENDPOINTS = 10;
/** Samples of each way, direct and through the Service in turn. */
const SAMPLES = 3_000;
/** Batches of connections, and of data, of each way: short, so that few are interrupted by the machine's other work. */
const BATCHES = 401;
const CONNECTIONS = 20;

type Way = 'direct' | 'service';
const WAYS: readonly Way[] = ['direct', 'service'];

type Quantity = 'firstPacket' | 'connect' | 'connections' | 'throughput';
/** Medians; `ratio` is that of service to direct of samples taken one after the other, so what slows both does not count. */
type Sampled = Readonly<Record<Way | 'ratio', number>>;
/** Microseconds from the first packet of a UDP flow to its answer, and of connect(); connections a second; Gbit/s. */
type Measured = Readonly<Record<Quantity, Sampled>>;

export const benchmark: Benchmark = {
  name: 'proxy-packet',
  about:
    'first packet, connect(), connections a second and throughput by cluster IP, beside the Pod’s own address',
  async run({ progress }) {
    const rows: Row[] = [];
    const bySize = new Map<number, Measured>();
    for (const services of SIZES) {
      progress(`${services} Services`);
      const measured = measureApart(services);
      bySize.set(services, measured);
      for (const [what, { direct, service, ratio }] of Object.entries(measured))
        rows.push({
          services,
          what,
          direct: round(direct, 2),
          service: round(service, 2),
          ratio: round(ratio, 3),
        });
    }
    const few = bySize.get(10);
    const many = bySize.get(10_000);
    if (few === undefined || many === undefined) throw new Error('nothing was measured');
    const figures = {
      firstPacketRatio: round(many.firstPacket.ratio, 3),
      connectRatio: round(many.connect.ratio, 3),
      connectionsRatio: round(many.connections.ratio, 3),
      throughputRatio: round(many.throughput.ratio, 3),
      firstPacketGrowth: round(many.firstPacket.ratio / few.firstPacket.ratio, 3),
      connectionsGrowth: round(many.connections.ratio / few.connections.ratio, 3),
    };
    return { figures, rows };
  },
};

/** In namespaces of its own, which end with the process. */
function measureApart(services: number): Measured {
  return JSON.parse(outputOf(sandboxedCommand(import.meta.filename, String(services)), 120_000)) as Measured;
}

async function measure(services: number): Promise<Measured> {
  const { node, client, server } = makePods(linuxKernel());
  const others = Array.from({ length: services - 1 }, (_, i) => i);
  const table = buildTable(
    [MEASURED.service, ...others.map(service)],
    [MEASURED.slice, ...others.map((i) => slice(i, ENDPOINTS))],
    {
      name: 'node1',
      addresses: [parseIp('10.244.1.1')],
      zone: undefined,
      podCIDRs: [parsePrefix('10.244.0.0/16')],
      clusterCIDRs: [parsePrefix('10.244.0.0/16')],
      serviceCIDRs: [parsePrefix('10.96.0.0/12')],
      nodePortAddresses: [],
      localAddresses: [],
    },
  );
  await createBackend('nftables', { netns: node, clock: systemClock, logger: silentLogger }).apply(table, []);
  const own = sockaddr(SERVER, TARGET_PORT);
  const { listener, datagrams } = serverSockets(server, own);
  const ways: Readonly<Record<Way, Buffer>> = { direct: own, service: sockaddr(CLUSTER_IP, PORT) };
  // All sockets of the client are opened by this thread, so it stays with the client meanwhile.
  return client.run(() => ({
    firstPacket: inTurn(SAMPLES, (way) => firstPacket(ways[way], datagrams)),
    connect: inTurn(SAMPLES, (way) => connection(ways[way], listener)),
    connections: inTurn(BATCHES, (way) => {
      const begun = performance.now();
      for (let i = 0; i < CONNECTIONS; i++) connection(ways[way], listener);
      return (CONNECTIONS / (performance.now() - begun)) * 1000;
    }),
    throughput: inTurn(BATCHES, (way) => throughput(ways[way], listener)),
  }));
}

function inTurn(samples: number, sample: (way: Way) => number): Sampled {
  const values: Record<Way | 'ratio', number[]> = { direct: [], service: [], ratio: [] };
  for (const way of WAYS) for (let i = 0; i < samples / 10; i++) sample(way); // warms caches and the compiler
  for (let i = 0; i < samples; i++) {
    const serviceFirst = i % 2 === 0 ? sample('service') : undefined;
    const direct = sample('direct');
    const service = serviceFirst ?? sample('service');
    values.direct.push(direct);
    values.service.push(service);
    values.ratio.push(service / direct);
  }
  return { direct: median(values.direct), service: median(values.service), ratio: median(values.ratio) };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

const [, script, services] = process.argv;
if (script === import.meta.filename && services !== undefined)
  process.stdout.write(JSON.stringify(await measure(Number(services))));
