import assert from 'node:assert/strict';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import koffi from 'koffi';
import { type IpAddress, parseIp } from '#ip';
import {
  bindIn,
  connectIn,
  filterSources,
  type NetworkNamespace,
  sandboxedKernel,
  setStreamOptions,
} from '#kernel';
import { type Clock, eventually, FakeClock, seededRandom, systemClock } from '#runtime';
import { DescriptorSet } from './descriptor-set.ts';
import { Relay } from './relay.ts';
import { encodeEndpoints } from './relay-messages.ts';

const SERVICE = { IPv4: parseIp('10.96.0.100'), IPv6: parseIp('fd00:96::100') };
const ENDPOINTS = {
  IPv4: [parseIp('10.244.2.10'), parseIp('10.244.2.11')],
  IPv6: [parseIp('fd00:244:2::10'), parseIp('fd00:244:2::11')],
} as const;
const PORT = 80;
const TARGET_PORT = 8080;
const ANY = { IPv4: parseIp('0.0.0.0'), IPv6: parseIp('::') };

/** On this thread, in a node where every address is its own. */
describe('Relay', () => {
  const kernel = sandboxedKernel();
  let node: NetworkNamespace;
  before(() => {
    node = kernel.createNetns('/run/netns/relay');
    node.links.set('lo', { up: true });
    const own = (address: IpAddress, prefixLength: number) =>
      node.addresses.add({ link: 'lo', address, prefixLength });
    for (const address of [SERVICE.IPv4, ...ENDPOINTS.IPv4]) own(address, 32);
    for (const address of [SERVICE.IPv6, ...ENDPOINTS.IPv6]) own(address, 128);
  });
  after(() => {
    node[Symbol.dispose]();
    kernel.deleteNetns('/run/netns/relay');
  });

  let relay: Relay;
  let descriptors: DescriptorSet;
  const ending = new Set<() => void>();
  const make = (clock: Clock) => {
    descriptors = new DescriptorSet();
    relay = new Relay({ netns: node, clock, random: seededRandom(1), descriptors });
  };
  beforeEach(() => make(systemClock));
  afterEach(async () => {
    await relay[Symbol.asyncDispose]();
    descriptors.resetAll();
    for (const end of ending) end();
    ending.clear();
  });

  type Family = keyof typeof SERVICE;
  /** The relay carries to so many of the endpoints. */
  const carry = (family: Family, protocol: 'TCP' | 'UDP', count = 1) => {
    const endpoints = encodeEndpoints(
      ENDPOINTS[family].slice(0, count).map((address) => ({ address, port: TARGET_PORT })),
    );
    const frontend = {
      ...{ family, protocol, address: SERVICE[family], port: PORT, target: endpoints, serving: endpoints },
      ...{ outside: undefined, sourceRanges: undefined, affinitySeconds: undefined },
    };
    const fd = bindIn(node, {
      protocol: protocol === 'TCP' ? 'tcp' : 'udp',
      address: SERVICE[family],
      port: PORT,
    });
    descriptors.add(fd);
    if (protocol === 'TCP') setStreamOptions(fd, 60);
    relay.handle({ kind: 'listen', fd, frontend });
  };
  const serve = async (address: IpAddress, handle: (socket: Socket) => void) => {
    const fd = bindIn(node, { protocol: 'tcp', address, port: TARGET_PORT });
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      ending.add(() => socket.destroy());
      handle(socket.on('error', () => {}));
    }).listen({ fd });
    ending.add(() => server.close());
    await once(server, 'listening');
    return fd;
  };
  const connect = async (family: Family = 'IPv4') => {
    const signal = AbortSignal.timeout(30_000);
    const socket = await connectIn(node, SERVICE[family], PORT, { signal, allowHalfOpen: true });
    ending.add(() => socket.destroy());
    return socket.on('error', () => {});
  };
  const text = async (socket: Socket) => Buffer.concat(await socket.toArray()).toString();
  const datagrams = (family: Family, address: IpAddress, port: number): DatagramSocket => {
    const socket = createSocket(family === 'IPv4' ? 'udp4' : 'udp6');
    socket.bind({ fd: bindIn(node, { protocol: 'udp', address, port }) });
    ending.add(() => socket.close());
    return socket;
  };
  const echoDatagrams = (family: Family, address: IpAddress) => {
    const server = datagrams(family, address, TARGET_PORT);
    server.on('message', (message, from) => server.send(message, from.port, from.address));
  };
  /** The answer; undefined when none comes. */
  const ask = async (client: DatagramSocket, family: Family, message: Buffer, ms = 30_000) => {
    const answer = once(client, 'message', { signal: AbortSignal.timeout(ms) });
    client.send(message, PORT, SERVICE[family]);
    try {
      return (await answer)[0] as Buffer;
    } catch {
      return undefined;
    }
  };
  const countOpen = () => readdirSync('/proc/self/fd').length;

  for (const family of ['IPv4', 'IPv6'] as const) {
    test(`${family}: a stream goes both ways, whole and in order, and leaves no descriptor behind`, async () => {
      await serve(ENDPOINTS[family][0], (socket) => socket.pipe(socket));
      carry(family, 'TCP');
      const before = countOpen();
      const client = await connect(family);
      const sent = Buffer.alloc(20 * 2 ** 20, 'abcdefg');
      client.end(sent);
      assert.ok(Buffer.concat(await client.toArray()).equals(sent));
      client.destroy();
      await eventually('all are closed', () => countOpen() <= before);
    });

    test(`${family}: datagrams arrive whole, the empty and the largest included`, async () => {
      echoDatagrams(family, ENDPOINTS[family][0]);
      carry(family, 'UDP');
      const client = datagrams(family, ANY[family], 0);
      for (const octets of [1, 0, 1_400, 9_000, 65_507 - 20]) {
        const message = Buffer.alloc(octets, 'x');
        assert.ok((await ask(client, family, message))?.equals(message), `${octets} octets`);
      }
    });
  }

  test('slow readers on either side: what waits in the relay is a chunk a direction, whatever is sent', async () => {
    const chunk = Buffer.alloc(2 ** 20);
    const blocked: Promise<unknown>[] = [];
    /** Writes until nothing has been taken for a while. */
    const flood = async (socket: Socket) => {
      while (socket.write(chunk) || (await Promise.race([once(socket, 'drain'), pause(300)])) !== undefined);
    };
    const pause = (ms: number) => new Promise<undefined>((resolve) => setTimeout(resolve, ms, undefined));
    await serve(ENDPOINTS.IPv4[0], (socket) => blocked.push(flood(socket.pause())));
    carry('IPv4', 'TCP');
    const before = process.memoryUsage().arrayBuffers;
    const connections = 20;
    for (let i = 0; i < connections; i++) blocked.push(flood((await connect()).pause()));
    await Promise.all(blocked);
    const each = (process.memoryUsage().arrayBuffers - before) / connections;
    assert.ok(each < 3 * 64 * 1024, `${each} octets a connection`);
  });

  test('an endpoint that is silent is left for another after 250 ms, the last one after three seconds', async () => {
    const clock = new FakeClock();
    await relay[Symbol.asyncDispose]();
    make(clock);
    for (const address of ENDPOINTS.IPv4) {
      const fd = await serve(address, (socket) => socket.end('never'));
      filterSources(fd, 'IPv4', [{ prefixes: [], fromHost: false }]);
    }
    carry('IPv4', 'TCP', 2);
    const before = clock.waiting;
    const client = await connect();
    let isOver = false;
    const failed = assert.rejects(text(client), /ECONNRESET/).then(() => {
      isOver = true;
    });
    await eventually('the first endpoint is tried', () => clock.waiting > before);
    for (const ms of [249, 1, 2_999]) clock.advance(ms);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isOver, false);
    clock.advance(1);
    await failed;
  });

  test('a datagram that is refused ends the flow: the client’s next one finds an endpoint that answers', async () => {
    echoDatagrams('IPv4', ENDPOINTS.IPv4[1]); // nobody listens on the first
    carry('IPv4', 'UDP', 2);
    for (let i = 0; i < 10; i++) {
      const client = datagrams('IPv4', ANY.IPv4, 0);
      const answer = await eventually('an answer', () => ask(client, 'IPv4', Buffer.from('?'), 100));
      assert.equal(String(answer), '?');
    }
  });

  for (const left of [0, 1])
    test(`with ${left} descriptors left clients wait, and are served when there are some again`, async () => {
      const RLIMIT_NOFILE = 7;
      const library = koffi.load(null);
      const getrlimit = library.func('int getrlimit(int, void *)');
      const setrlimit = library.func('int setrlimit(int, void *)');
      const limits = new BigUint64Array(2);
      getrlimit(RLIMIT_NOFILE, limits);
      await serve(ENDPOINTS.IPv4[0], (socket) => socket.end('served'));
      carry('IPv4', 'TCP');
      const clients = [connect(), connect(), connect()];
      const open = readdirSync('/proc/self/fd').map(Number);
      const low = BigUint64Array.from(limits);
      low[0] = BigInt(Math.max(...open) + 1);
      const held: number[] = [];
      setrlimit(RLIMIT_NOFILE, low);
      try {
        assert.throws(() => {
          for (;;) held.push(openSync('/dev/null', 'r'));
        }, /EMFILE/);
        for (const fd of held.splice(0, left)) closeSync(fd);
        await new Promise((resolve) => setTimeout(resolve, 250));
      } finally {
        setrlimit(RLIMIT_NOFILE, limits);
        for (const fd of held) closeSync(fd);
      }
      for (const client of clients) assert.equal(await text(await client), 'served');
    });
});
