import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { type IpAddress, parseIp, parsePrefix } from '#ip';
import { bindIn, connectIn, type NetworkNamespace, sandboxedKernel } from '#kernel';
import type { EndpointSlice, Service } from '#kube-api';
import { createLogger, eventually, FakeClock, type LogRecord, systemClock, systemRandom } from '#runtime';
import {
  CLUSTER_IP,
  endpoint,
  FACTS,
  OTHER_NODE_ADDRESS,
  PODS,
  SERVICE_PORT,
  service,
  slice,
  TARGET_PORT,
  TERMINATING,
} from '../../behaviour/cluster.ts';
import { buildTable, diffTables } from '../../table/table.ts';
import { UserspaceBackend } from './backend.ts';
import { Relay } from './relay.ts';

const TABLE_LOCAL = 255;

/** A node whose Pods live on its own loopback link. */
describe('UserspaceBackend', () => {
  const kernel = sandboxedKernel();
  let node: NetworkNamespace;
  let pod: NetworkNamespace;
  before(() => {
    node = kernel.createNetns('/run/netns/userspace-node');
    pod = kernel.createNetns('/run/netns/userspace-pod');
    for (const netns of [node, pod]) netns.links.set('lo', { up: true });
    node.links.add({ kind: 'veth', name: 'eth0', up: true, peer: { name: 'eth0', up: true, netns: pod } });
    const gateway = parseIp('10.244.1.1');
    node.addresses.add({ link: 'eth0', address: gateway, prefixLength: 24 });
    pod.addresses.add({ link: 'eth0', address: PODS.a, prefixLength: 24 });
    pod.routes.add({ destination: parsePrefix('0.0.0.0/0'), gateway });
    for (const address of [PODS.c, PODS.d]) node.addresses.add({ link: 'lo', address, prefixLength: 32 });
  });
  after(() => {
    for (const [netns, name] of [
      [node, 'node'],
      [pod, 'pod'],
    ] as const) {
      netns[Symbol.dispose]();
      kernel.deleteNetns(`/run/netns/userspace-${name}`);
    }
  });

  const records: LogRecord[] = [];
  const logger = createLogger((record) => void records.push(record));
  let backend: UserspaceBackend;
  let table = buildTable([], [], FACTS);
  const servers = new Set<Server>();
  beforeEach(() => {
    records.length = 0;
    table = buildTable([], [], FACTS);
    backend = new UserspaceBackend({ netns: node, clock: systemClock, logger });
  });
  afterEach(async () => {
    await backend.cleanup();
    await backend[Symbol.asyncDispose]();
    for (const server of servers) server.close();
    servers.clear();
  });

  const program = (services: readonly Service[], slices: readonly EndpointSlice[], to = backend) => {
    const previous = table;
    table = buildTable(services, slices, FACTS);
    return to.apply(
      table,
      diffTables(previous, table).map((change) => change.service),
    );
  };
  /** An endpoint with this behaviour. */
  const serve = async (address: IpAddress, handle: (socket: Socket) => void, port = TARGET_PORT) => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      handle(socket);
    });
    server.listen({ fd: bindIn(node, { protocol: 'tcp', address, port }) });
    servers.add(server);
    await once(server, 'listening');
    return server;
  };
  const connect = async (port = SERVICE_PORT) => {
    const signal = AbortSignal.timeout(30_000);
    const socket = await connectIn(pod, CLUSTER_IP, port, { signal, allowHalfOpen: true });
    return socket.on('error', () => {}); // who stays open is reset at the end
  };
  const ours = () => node.routes.list({ table: TABLE_LOCAL, protocol: 93 });
  const text = async (socket: Socket) => Buffer.concat(await socket.toArray()).toString();

  test('more Services than are changed at once: each answers at its address, moved to another one too, and none is left', async () => {
    const of = (count: number, addressOf: (i: number) => string) => {
      const services = Array.from({ length: count }, (_, i) => {
        const clusterIP = addressOf(i);
        return service({ clusterIP, clusterIPs: [clusterIP] }, { metadata: { name: `s${i}` } });
      });
      const slices = services.map((_, i) =>
        slice([i % 2 === 0 ? 'c' : 'd'], { name: `s${i}-1`, service: `s${i}` }),
      );
      return [services, slices] as const;
    };
    const address = (i: number) => `10.96.${4 + (i >> 8)}.${i & 255}`;
    const ask = async (i: number) => {
      const options = { signal: AbortSignal.timeout(30_000) };
      return text(await connectIn(pod, parseIp(address(i)), SERVICE_PORT, options));
    };
    await serve(PODS.c, (socket) => socket.end('c'));
    await serve(PODS.d, (socket) => socket.end('d'));
    await program(...of(500, address));
    assert.equal(ours().length, 501); // and the rest of the range, which is unreachable
    for (const i of [0, 199, 200, 499]) assert.equal(await ask(i), i % 2 === 0 ? 'c' : 'd');
    await program(...of(500, (i) => address(499 - i)));
    for (const i of [0, 199, 200, 499]) assert.equal(await ask(i), i % 2 === 0 ? 'd' : 'c');
    await program([], []);
    assert.equal(ours().length, 1);
  });

  test('another node’s address stays that node’s', async () => {
    const services = [service({ externalIPs: [OTHER_NODE_ADDRESS] })];
    const at = () => ours().filter(({ destination }) => destination === `${OTHER_NODE_ADDRESS}/32`).length;
    await backend.apply(buildTable(services, [], FACTS), ['default/web']);
    assert.equal(at(), 1);
    await backend.apply(buildTable(services, [], FACTS, { node2: [OTHER_NODE_ADDRESS] }), ['default/web']);
    assert.equal(at(), 0);
  });

  test('half-close: the end of one direction leaves the other open, either way round', async () => {
    await serve(PODS.c, (socket) => {
      // Answers when everything is there: the client's end must have come through.
      void text(socket).then((received) => socket.end(`got ${received}`));
    });
    await program([service()], [slice(['c'])]);
    const client = await connect();
    client.end('all of it');
    assert.equal(await text(client), 'got all of it');

    const received = Promise.withResolvers<string>();
    await serve(PODS.d, (socket) => {
      socket.end('first');
      void text(socket).then(received.resolve);
    });
    await program([service()], [slice(['d'])]);
    const listener = await connect();
    assert.equal(await text(listener), 'first');
    listener.end('later');
    assert.equal(await received.promise, 'later');
  });

  test('backpressure: an endpoint that does not read stops the client, and gets every byte when it does', async () => {
    const accepted = Promise.withResolvers<Socket>();
    await serve(PODS.c, (socket) => {
      socket.pause();
      accepted.resolve(socket);
    });
    await program([service()], [slice(['c'])]);
    const client = await connect();
    const chunk = Buffer.alloc(2 ** 20, 'x');
    const total = 64;
    let written = 0;
    const writer = (async () => {
      for (; written < total; written++) if (!client.write(chunk)) await once(client, 'drain');
      client.end();
    })();
    const endpointSide = await accepted.promise;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(written < total, `${written} MiB went into a connection that nobody reads`);
    let bytes = 0;
    for await (const part of endpointSide) bytes += part.length;
    await writer;
    assert.equal(bytes, total * chunk.length);
    client.destroy();
    endpointSide.destroy();
  });

  test('reset: either side’s reaches the other', async () => {
    const accepted: Socket[] = [];
    await serve(PODS.c, (socket) => {
      accepted.push(socket);
      socket.write('hello');
    });
    await program([service()], [slice(['c'])]);
    const [first, second] = [await connect(), await connect()];
    for (const client of [first, second]) await once(client, 'data');
    const [one, other] = accepted;
    assert.ok(one !== undefined && other !== undefined);
    const failed = once(first, 'error');
    one.resetAndDestroy();
    assert.match(String(await failed), /ECONNRESET/);
    const closed = new Promise((resolve) => other.on('close', resolve));
    second.resetAndDestroy();
    await closed;
    assert.equal(other.readableEnded, false);
  });

  test('an endpoint that refuses is left for another; when all do, the client is reset', async () => {
    await serve(PODS.d, (socket) => socket.end('d'));
    await program([service()], [slice(['c', 'd'])]); // nobody listens on c
    for (let i = 0; i < 10; i++) assert.equal(await text(await connect()), 'd');
    await program([service()], [slice(['c'])]);
    // The reset may be there before the client has seen its connection.
    await assert.rejects(async () => text(await connect()), /ECONNRESET/);
  });

  test('a connection stays with an endpoint that terminates, and through changes of the Service; not through its deletion', async () => {
    await serve(PODS.c, (socket) => socket.pipe(socket));
    await program([service()], [slice(['c'])]);
    const client = await connect();
    const echo = async (word: string) => {
      client.write(word);
      const [answer] = await once(client, 'data');
      return String(answer);
    };
    assert.equal(await echo('one'), 'one');
    await program([service()], [slice([endpoint('c', { conditions: TERMINATING }), 'd'])]);
    assert.equal(await echo('two'), 'two');
    await program([service({ sessionAffinity: 'ClientIP' })], []);
    assert.equal(await echo('three'), 'three');
    const failed = once(client, 'error');
    await program([], []);
    assert.match(String(await failed), /ECONNRESET/);
  });

  test('UDP: a client has a flow of its own, answers come back from the Service, silence ends it', async (t) => {
    const clock = new FakeClock();
    await backend[Symbol.asyncDispose]();
    backend = new UserspaceBackend({
      ...{ netns: node, clock, logger },
      createRelay: (deps) => new Relay({ ...deps, random: systemRandom }),
    });
    const open = (netns: NetworkNamespace, address: IpAddress, port: number) => {
      const socket = createSocket('udp4');
      socket.bind({ fd: bindIn(netns, { protocol: 'udp', address, port }) });
      t.after(() => socket.close());
      return socket;
    };
    const any = parseIp('0.0.0.0');
    // Says which port it was asked from: the relay's for this flow.
    const server = open(node, PODS.c, TARGET_PORT);
    server.on('message', (_, from) => server.send(String(from.port), from.port, from.address));
    await program(
      [service({ ports: [{ name: 'main', port: SERVICE_PORT, protocol: 'UDP' }] })],
      [slice(['c'], { ports: [{ name: 'main', port: TARGET_PORT, protocol: 'UDP' }] })],
    );
    const [one, other] = [open(pod, any, 0), open(pod, any, 0)];
    const ask = async (client: typeof one) => {
      const answer = once(client, 'message', { signal: AbortSignal.timeout(30_000) });
      client.send('?', SERVICE_PORT, CLUSTER_IP);
      const [message, { address, port }] = await answer;
      assert.deepEqual([address, port], [CLUSTER_IP, SERVICE_PORT]);
      return String(message);
    };
    const first = await ask(one);
    assert.notEqual(await ask(other), first);
    clock.advance(29_000);
    assert.equal(await ask(one), first);
    clock.advance(29_000);
    assert.equal(await ask(one), first);
    clock.advance(30_000);
    assert.notEqual(await ask(one), first);
  });

  test('the end of the process lets a request that is under way end', async () => {
    await backend[Symbol.asyncDispose]();
    const clock = new FakeClock();
    backend = new UserspaceBackend({ netns: node, clock, logger });
    const asked = Promise.withResolvers<Socket>();
    await serve(PODS.c, (socket) => void socket.once('data', () => asked.resolve(socket)));
    await program([service()], [slice(['c'])]);
    const client = await connect();
    client.write('request');
    const underWay = await asked.promise;
    const answer = text(client);
    const ended = backend[Symbol.asyncDispose]();
    underWay.end('answer');
    assert.equal(await answer, 'answer');
    clock.advance(200);
    await ended;
  });

  test('a client that comes between two processes is served by the second', async () => {
    await serve(PODS.c, (socket) => socket.end('c'));
    const state = [[service()], [slice(['c'])]] as const;
    await program(...state);
    await backend[Symbol.asyncDispose]();
    const waiting = connect();
    await new Promise((resolve) => setTimeout(resolve, 100));
    backend = new UserspaceBackend({ netns: node, clock: systemClock, logger });
    await backend.observe();
    await backend.apply(table, []);
    assert.equal(await text(await waiting), 'c');
  });

  test('a port that somebody else listens on is said once and taken when it is free; others are served meanwhile', async () => {
    const ports = [SERVICE_PORT, 81].map((port) => ({ name: 'main', protocol: 'TCP', port }));
    const rival = createServer().listen({
      fd: bindIn(node, { protocol: 'tcp', address: CLUSTER_IP, port: 81, freeBind: true }),
    });
    await serve(PODS.c, (socket) => socket.end('c'));
    await program([service({ ports })], [slice(['c'])]);
    assert.equal(await text(await connect()), 'c');
    assert.equal(await backend.intact(), true);
    assert.deepEqual(
      records.map(({ message, fields }) => `${message}: ${fields['place']}`),
      ['a Service’s address cannot be listened on: 10.96.0.100 TCP 81'],
    );
    const figure = (name: string) => backend.figures().find((each) => each.name === name)?.value;
    assert.equal(figure('podway_relay_broken_frontends'), 1);
    rival.close();
    await once(rival, 'close');
    assert.equal(await backend.intact(), true);
    assert.equal(await text(await connect(81)), 'c');
    assert.equal(figure('podway_relay_broken_frontends'), 0);
    // Two that listen, its poller, and both ends of two connections that the clients have left open.
    await eventually('seven descriptors', () => figure('podway_relay_descriptors') === 7);
  });

  test('where no more files may be open, some Services are refused and told of, others are served; they come when others go', async () => {
    const free = openSync('/dev/null', 'r');
    closeSync(free);
    const socketDescriptors = free + 10;
    await using limited = new UserspaceBackend({
      netns: node,
      clock: systemClock,
      logger,
      socketDescriptors,
    });
    const ports = Array.from({ length: 20 }, (_, i) => ({ name: `p${i}`, protocol: 'TCP', port: 100 + i }));
    const endpoints = slice(['c'], { ports: ports.map(({ name }) => ({ name, port: TARGET_PORT })) });
    await serve(PODS.c, (socket) => socket.end('c'));
    const broken = () =>
      limited.figures().find(({ name }) => name === 'podway_relay_broken_frontends')?.value ?? 0;
    await program([service({ ports })], [endpoints], limited);
    assert.ok(broken() >= 10 && broken() < 20, String(broken()));
    assert.match(String(records[0]?.fields['error']), /^open files for Services: .*ulimit -n/);
    assert.equal(await text(await connect(100)), 'c');
    await assert.rejects(connect(119), /ECONNREFUSED/);
    await program([service({ ports: ports.slice(-2) })], [endpoints], limited);
    await eventually('they are carried', async () => (await limited.intact()) && broken() === 0);
    assert.equal(await text(await connect(119)), 'c');
    await limited.cleanup();
  });

  test('routes that someone has removed are noticed and put back; nobody else’s are touched', async () => {
    const foreign = () => node.routes.list({ table: TABLE_LOCAL }).filter(({ protocol }) => protocol !== 93);
    const before = foreign();
    await program([service({ externalIPs: [PODS.c] })], [slice(['c'])]);
    assert.deepEqual(
      ours()
        .map(({ destination, type }) => `${type} ${destination}`)
        .sort(),
      ['local 10.244.2.10/32', 'local 10.96.0.100/32', 'unreachable 10.96.0.0/16'],
    );
    assert.equal(await backend.intact(), true);
    for (const route of ours()) node.routes.delete(route);
    await eventually('it is told', async () => !(await backend.intact()));
    await backend.observe();
    assert.deepEqual(await backend.apply(table, []), { writes: 3 });
    assert.equal(await backend.intact(), true);
    await backend.cleanup();
    assert.deepEqual(ours(), []);
    assert.deepEqual(foreign(), before);
  });

  test('retire: what an earlier process left goes', async () => {
    await program([service()], []);
    await backend[Symbol.asyncDispose]();
    assert.ok(ours().length > 0);
    backend = new UserspaceBackend({ netns: node, clock: systemClock, logger });
    assert.equal(await backend.retire(), true);
    assert.deepEqual(ours(), []);
  });

  test('probe: nothing is missing here and nothing is left; without loopback it is said', async () => {
    assert.deepEqual(await backend.probe(), []);
    assert.deepEqual(ours(), []);
    const bare = kernel.createNetns('/run/netns/userspace-bare');
    const [reason] = await new UserspaceBackend({ netns: bare, clock: systemClock, logger }).probe();
    assert.match(reason ?? '', /lo/);
    bare[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/userspace-bare');
  });
});
