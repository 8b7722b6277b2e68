/**
 * What a Service costs its packets: a Pod talks to another Pod of its node by cluster IP and by the Pod's own address, in turn, with
 * 10, 1,000 and 10,000 Services programmed. One thread does all system calls of both ends, so no scheduler is measured: a packet goes
 * through both links, the node's rules and routes within the call that sends it.
 */
import { execFileSync } from 'node:child_process';
import koffi from 'koffi';
import { ipAdd, ipToBytes, parseIp, parsePrefix } from '#ip';
import { linuxKernel, type NetworkNamespace } from '#kernel';
import type { EndpointSlice, Service } from '#kube-api';
import { silentLogger, systemClock } from '#runtime';
import { buildTable, createBackend } from '#service-proxy';
import { type Benchmark, median, type Row } from './benchmark.ts';

const SIZES = [10, 1_000, 10_000];
const ENDPOINTS = 10;
/** Samples of each way, direct and through the Service in turn. */
const SAMPLES = 3_000;
/** Batches of connections, and of data, of each way: short, so that few are interrupted by the machine's other work. */
const BATCHES = 401;
const CONNECTIONS = 20;
const BATCH_BYTES = 8 * 2 ** 20;
const CHUNK = Buffer.alloc(128 * 1024);

const CLIENT = parseIp('10.244.1.10');
const SERVER = parseIp('10.244.2.10');
const CLUSTER_IP = parseIp('10.96.0.10');
const PORT = 80;
const TARGET_PORT = 8080;

const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)');
const bind = libc.func('int bind(int, void *, uint)');
const listen = libc.func('int listen(int, int)');
const accept = libc.func('int accept(int, void *, void *)');
const connect = libc.func('int connect(int, void *, uint)');
const setsockopt = libc.func('int setsockopt(int, int, int, void *, uint)');
const send = libc.func('intptr_t send(int, void *, size_t, int)');
const sendto = libc.func('intptr_t sendto(int, void *, size_t, int, void *, uint)');
const recv = libc.func('intptr_t recv(int, void *, size_t, int)');
const recvfrom = libc.func('intptr_t recvfrom(int, void *, size_t, int, void *, void *)');
const close = libc.func('int close(int)');

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_LINGER = 13;
const SO_RCVTIMEO = 20;
const MSG_DONTWAIT = 0x40;

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
  const rootless = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const self = [process.execPath, '--disable-warning=ExperimentalWarning', import.meta.filename];
  const sandbox = ['sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sandbox'];
  const output = execFileSync(
    'unshare',
    [...rootless, '--net', '--mount', ...sandbox, ...self, String(services)],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], timeout: 120_000 },
  );
  return JSON.parse(output) as Measured;
}

function object(i: number): { readonly service: Service; readonly slice: EndpointSlice } {
  const name = `service-${i}`;
  const address = i === 0 ? CLUSTER_IP : ipAdd(parseIp('10.96.1.0'), i);
  const protocols = i === 0 ? ['TCP', 'UDP'] : ['TCP'];
  const port = (protocol: string) => ({ name: protocol.toLowerCase(), protocol });
  const first = parseIp('10.244.128.0');
  return {
    service: {
      metadata: { namespace: 'default', name },
      spec: {
        type: 'ClusterIP',
        clusterIP: address,
        clusterIPs: [address],
        ports: protocols.map((protocol) => ({ ...port(protocol), port: PORT, targetPort: TARGET_PORT })),
      },
    },
    slice: {
      metadata: {
        namespace: 'default',
        name,
        labels: { 'kubernetes.io/service-name': name },
      },
      addressType: 'IPv4',
      ports: protocols.map((protocol) => ({ ...port(protocol), port: TARGET_PORT })),
      endpoints:
        i === 0
          ? [{ addresses: [SERVER], nodeName: 'node1' }]
          : Array.from({ length: ENDPOINTS }, (_, e) => ({
              addresses: [ipAdd(first, (i * ENDPOINTS + e) % 30_000)],
              nodeName: `node${e}`,
            })),
    },
  };
}

async function measure(services: number): Promise<Measured> {
  const kernel = linuxKernel();
  const [node, client, server] = ['node', 'client', 'server'].map((name) =>
    kernel.createNetns(`/run/netns/${name}`),
  ) as [NetworkNamespace, NetworkNamespace, NetworkNamespace];
  for (const netns of [node, client, server]) netns.links.set('lo', { up: true });
  for (const [name, pod, address] of [
    ['client', client, CLIENT],
    ['server', server, SERVER],
  ] as const) {
    const gateway = ipAdd(address, -9);
    node.links.add({ kind: 'veth', name, up: true, peer: { name: 'eth0', up: true, netns: pod } });
    node.addresses.add({ link: name, address: gateway, prefixLength: 24 });
    pod.addresses.add({ link: 'eth0', address, prefixLength: 24 });
    pod.routes.add({ destination: parsePrefix('0.0.0.0/0'), gateway });
  }
  node.sysctl.set('net.ipv4.ip_forward', '1');
  const objects = Array.from({ length: services }, (_, i) => object(i));
  const table = buildTable(
    objects.map(({ service }) => service),
    objects.map(({ slice }) => slice),
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
  const { listener, datagrams } = server.run(() => ({
    listener: call('socket', socket(AF_INET, SOCK_STREAM, 0)),
    datagrams: call('socket', socket(AF_INET, SOCK_DGRAM, 0)),
  }));
  for (const fd of [listener, datagrams]) call('bind', bind(fd, own, own.length));
  call('listen', listen(listener, 4096));
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

const ADDRESS = Buffer.alloc(16);
const LENGTH = Buffer.alloc(4);

/** @returns microseconds */
function firstPacket(to: Buffer, server: number): number {
  const fd = call('socket', socket(AF_INET, SOCK_DGRAM, 0));
  for (const each of [fd, server]) setsockopt(each, SOL_SOCKET, SO_RCVTIMEO, ONE_SECOND, ONE_SECOND.length);
  call('connect', connect(fd, to, to.length));
  const begun = performance.now();
  call('send', send(fd, CHUNK, 1, 0));
  LENGTH.writeUInt32LE(ADDRESS.length);
  call('recvfrom', recvfrom(server, CHUNK, 1, 0, ADDRESS, LENGTH));
  call('sendto', sendto(server, CHUNK, 1, 0, ADDRESS, ADDRESS.length));
  call('recv', recv(fd, CHUNK, 1, 0));
  const ended = performance.now();
  close(fd);
  return (ended - begun) * 1000;
}

const ONE_SECOND = timeval(1);
/** Ends with a reset: no port is left waiting. */
const NO_LINGER = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

/** @returns microseconds of connect() */
function connection(to: Buffer, listener: number): number {
  const fd = call('socket', socket(AF_INET, SOCK_STREAM, 0));
  setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
  const begun = performance.now();
  call('connect', connect(fd, to, to.length));
  const ended = performance.now();
  const accepted = call('accept', accept(listener, null, null));
  close(fd);
  close(accepted);
  return (ended - begun) * 1000;
}

/** Over a connection of its own: what buffers the kernel has found good differs from one to the next. @returns Gbit/s */
function throughput(to: Buffer, listener: number): number {
  const fd = call('socket', socket(AF_INET, SOCK_STREAM, 0));
  setsockopt(fd, SOL_SOCKET, SO_LINGER, NO_LINGER, NO_LINGER.length);
  call('connect', connect(fd, to, to.length));
  const accepted = call('accept', accept(listener, null, null));
  const begun = performance.now();
  for (let received = 0, sent = 0; received < BATCH_BYTES; ) {
    if (sent < BATCH_BYTES) sent += Math.max(0, Number(send(fd, CHUNK, CHUNK.length, MSG_DONTWAIT)));
    received += Math.max(0, Number(recv(accepted, CHUNK, CHUNK.length, MSG_DONTWAIT)));
  }
  const ended = performance.now();
  close(fd);
  close(accepted);
  return (BATCH_BYTES * 8) / (ended - begun) / 1e6;
}

function sockaddr(address: typeof CLIENT, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(AF_INET);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipToBytes(address), 4);
  return bytes;
}

function timeval(seconds: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(seconds));
  return bytes;
}

function call(name: string, result: unknown): number {
  if (Number(result) < 0) throw new Error(`${name}: errno ${koffi.errno()}`);
  return Number(result);
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

const [, script, services] = process.argv;
if (script === import.meta.filename && services !== undefined)
  process.stdout.write(JSON.stringify(await measure(Number(services))));
