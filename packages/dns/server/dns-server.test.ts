import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { parseIp, parsePrefix } from '#ip';
import type { EndpointSlice, Pod, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { createLogger, FakeClock, type LogRecord, seededRandom } from '#runtime';
import { certificate } from '../fixtures/certificate.ts';
import { fuzzServer } from '../fixtures/fuzz.ts';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import { type Handler, replyTo, UpstreamServer } from '../fixtures/upstream-server.ts';
import {
  decodeMessage,
  encodeMessage,
  type Message,
  queryMessage,
  type ResourceRecord,
} from '../wire/index.ts';
import { createDnsServer, type DnsServerOptions } from './dns-server.ts';
import { formatMetrics } from './metrics.ts';

const TYPES: Readonly<Record<string, number>> = {
  A: 1,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
};

async function started(options: Partial<DnsServerOptions> = {}) {
  const services = new MemoryInformer<Service>([
    service('default/kubernetes', { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443 }] }),
    service('default/big', { clusterIP: 'None' }),
  ]);
  const endpointSlices = new MemoryInformer<EndpointSlice>([
    slice(
      'default/big-1',
      'big',
      Array.from({ length: 200 }, (_, i) => endpoint(`10.244.0.${i + 1}`)),
    ),
  ]);
  const server = await createDnsServer({
    services,
    endpointSlices,
    listen: [{ address: '127.0.0.1', port: 0 }],
    reversePrefixes: [parsePrefix('10.96.0.0/16')],
    ...options,
  });
  const port = server.listening[0]?.port ?? 0;
  return {
    server,
    services,
    endpointSlices,
    port,
    tcp: (name: string, type: string) => askTcp(port, name, type),
    udp: (name: string, type: string, more: Partial<Message> = {}) => askUdp(port, name, type, more),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const queryOf = (name: string, type: string, id: number, more: Partial<Message> = {}) =>
  encodeMessage({ ...queryMessage(id, { name, typeCode: TYPES[type] ?? 0, class: 1 }), ...more });

async function askUdp(
  port: number,
  name: string,
  type: string,
  more: Partial<Message> = {},
): Promise<Message> {
  const socket = createSocket('udp4');
  try {
    socket.send(queryOf(name, type, 4711, more), port, '127.0.0.1');
    const [packet] = (await once(socket, 'message', { signal: AbortSignal.timeout(5000) })) as [Buffer];
    return decodeMessage(packet);
  } finally {
    socket.close();
  }
}

async function askTcp(port: number, name: string, type: string): Promise<Message> {
  const socket = connect(port, '127.0.0.1');
  socket.end(frame(queryOf(name, type, 4711)));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return decodeMessage(Buffer.concat(chunks).subarray(2));
}

/** Every message of the reply to one question over TCP. */
async function askForMany(port: number, name: string, type: string, more: Partial<Message> = {}) {
  const socket = connect(port, '127.0.0.1');
  socket.end(frame(queryOf(name, type, 4711, more)));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return messagesOf(Buffer.concat(chunks));
}

function messagesOf(received: Buffer): readonly Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < received.length; ) {
    const end = at + 2 + received.readUInt16BE(at);
    messages.push(decodeMessage(received.subarray(at + 2, end)));
    at = end;
  }
  return messages;
}

const frame = (octets: Uint8Array) =>
  Buffer.concat([Buffer.from([octets.length >> 8, octets.length & 255]), octets]);

const addresses = (message: Message) =>
  message.answers.map((answer) =>
    answer.type === 'A' || answer.type === 'AAAA' ? answer.address : answer.type,
  );

test('createDnsServer: a Service by name, with the id, case and RD of the question', async () => {
  await using dns = await started();
  const reply = await dns.udp('KuberNetes.default.SVC.cluster.local', 'A');
  assert.equal(reply.id, 4711);
  assert.equal(reply.rcode, 0);
  assert.ok(reply.response && reply.authoritative && reply.recursionDesired && reply.recursionAvailable);
  assert.equal(reply.questions[0]?.name, 'KuberNetes.default.SVC.cluster.local');
  assert.equal(reply.answers[0]?.name, 'KuberNetes.default.SVC.cluster.local');
  assert.deepEqual(addresses(reply), ['10.96.0.1']);
  assert.equal(reply.answers[0]?.ttl, 5);
  assert.equal(reply.edns, undefined);
});

test('createDnsServer: NODATA for a type the name has not, NXDOMAIN for a name that is not, both with SOA', async () => {
  await using dns = await started();
  const nodata = await dns.udp('kubernetes.default.svc.cluster.local', 'AAAA');
  assert.deepEqual([nodata.rcode, nodata.answers.length, nodata.authorities[0]?.type], [0, 0, 'SOA']);
  const nxdomain = await dns.udp('nothing.default.svc.cluster.local', 'A');
  assert.deepEqual([nxdomain.rcode, nxdomain.answers.length, nxdomain.authorities[0]?.type], [3, 0, 'SOA']);
  const outside = await dns.udp('example.com', 'A');
  assert.deepEqual([outside.rcode, outside.authoritative], [3, false]);
});

test('createDnsServer: a change is answered from the moment it is reported', async () => {
  await using dns = await started();
  const name = 'web.shop.svc.cluster.local';
  assert.equal((await dns.udp(name, 'A')).rcode, 3);
  assert.equal((await dns.udp('shop.svc.cluster.local', 'A')).rcode, 3);
  dns.services.set(service('shop/web', { clusterIP: '10.96.0.7' }));
  assert.deepEqual(addresses(await dns.udp(name, 'A')), ['10.96.0.7']);
  assert.equal((await dns.udp('shop.svc.cluster.local', 'A')).rcode, 0);
  assert.equal((await dns.udp('7.0.96.10.in-addr.arpa', 'PTR')).rcode, 0);
  dns.services.set(service('shop/web', { clusterIP: '10.96.0.8' }));
  assert.deepEqual(addresses(await dns.udp(name, 'A')), ['10.96.0.8']);
  assert.equal((await dns.udp('7.0.96.10.in-addr.arpa', 'PTR')).rcode, 3);
  dns.services.delete({ metadata: { namespace: 'shop', name: 'web' } });
  assert.equal((await dns.udp(name, 'A')).rcode, 3);
  assert.equal((await dns.udp('shop.svc.cluster.local', 'A')).rcode, 3);
});

test('createDnsServer: a question waits for the first list, then is answered', async () => {
  const services = new MemoryInformer<Service>([], { synced: false });
  await using dns = await started({ services, syncWaitMs: 60_000 });
  assert.equal(dns.server.isReady, false);
  const early = dns.udp('kubernetes.default.svc.cluster.local', 'A');
  // A name outside needs no list.
  assert.equal((await dns.udp('example.com', 'A')).rcode, 3);
  services.set(service('default/kubernetes', { clusterIP: '10.96.0.1' }));
  services.sync();
  assert.deepEqual(addresses(await early), ['10.96.0.1']);
  assert.equal(dns.server.isReady, true);
});

test('createDnsServer: SERVFAIL when the first list does not come in time', async () => {
  await using dns = await started({
    services: new MemoryInformer<Service>([], { synced: false }),
    syncWaitMs: 1,
  });
  assert.equal((await dns.udp('kubernetes.default.svc.cluster.local', 'A')).rcode, 2);
});

test('createDnsServer: over UDP what does not fit is cut at a record, with TC; EDNS makes more fit', async () => {
  await using dns = await started();
  const plain = await dns.udp('big.default.svc.cluster.local', 'A');
  assert.ok(plain.truncated);
  assert.equal(plain.answers.length, Math.floor((512 - 12 - 35) / 16));
  const edns = { udpPayloadSize: 4096, version: 0, dnssecOk: true, options: [] };
  const more = await dns.udp('big.default.svc.cluster.local', 'A', { edns });
  assert.ok(more.truncated);
  assert.ok(more.answers.length > plain.answers.length);
  assert.deepEqual(more.edns, { udpPayloadSize: 1232, version: 0, dnssecOk: true, options: [] });
});

test('createDnsServer: answers of many addresses begin with another each time', async () => {
  await using dns = await started();
  const first = new Set<unknown>();
  for (let i = 0; i < 5; i++) first.add(addresses(await dns.udp('big.default.svc.cluster.local', 'A'))[0]);
  assert.equal(first.size, 5);
});

test('createDnsServer: TCP gives the whole answer, to questions sent at once and in pieces', async () => {
  await using dns = await started();
  const sent = Buffer.concat([
    frame(queryOf('big.default.svc.cluster.local', 'A', 1)),
    frame(queryOf('kubernetes.default.svc.cluster.local', 'A', 2)),
  ]);
  const socket = connect(dns.port, '127.0.0.1');
  for (const octet of sent) socket.write(Buffer.of(octet));
  socket.end();
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  const received = Buffer.concat(chunks);
  const length = received.readUInt16BE(0);
  const big = decodeMessage(received.subarray(2, 2 + length));
  assert.deepEqual([big.id, big.truncated, big.answers.length], [1, false, 200]);
  const second = decodeMessage(received.subarray(4 + length));
  assert.deepEqual([second.id, addresses(second)], [2, ['10.96.0.1']]);
});

test('createDnsServer: an answer of more addresses than a message holds gives each client others, with TC', async () => {
  const endpoints = Array.from({ length: 10_000 }, (_, i) => endpoint(`10.1.${i >> 8}.${i & 0xff}`));
  await using dns = await started({
    services: new MemoryInformer([service('default/huge', { clusterIP: 'None' })]),
    endpointSlices: new MemoryInformer([slice('default/huge-1', 'huge', endpoints)]),
  });
  const seen = new Set<string>();
  for (let i = 0; i < 3; i++) {
    const reply = await dns.tcp('huge.default.svc.cluster.local', 'A');
    assert.ok(reply.truncated);
    assert.equal(reply.answers.length, Math.floor((0xffff - 12 - 36) / 16));
    for (const address of addresses(reply)) seen.add(String(address));
  }
  assert.ok(seen.size > 8000, `${seen.size} of 10000 seen`);
});

test('createDnsServer: a huge TCP frame ends the connection, and the server goes on', async () => {
  await using dns = await started();
  const socket = connect(dns.port, '127.0.0.1');
  socket.write(Buffer.from('ffff', 'hex'));
  socket.on('error', () => {});
  await once(socket, 'close');
  assert.equal((await dns.udp('kubernetes.default.svc.cluster.local', 'A')).rcode, 0);
});

test('createDnsServer: a TCP connection is closed when nothing whole has come for 10 s', async () => {
  const clock = new FakeClock();
  await using dns = await started({ clock });
  const socket = connect(dns.port, '127.0.0.1');
  // Closed with octets unread it is reset.
  const closed = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
  const query = frame(queryOf('kubernetes.default.svc.cluster.local', 'A', 1));
  for (let i = 0; i < 2; i++) {
    socket.write(query);
    await once(socket, 'data');
    clock.advance(9_999);
  }
  socket.write(query);
  await once(socket, 'data');
  // Octets of a question that never gets whole do not keep it open.
  clock.advance(5_000);
  socket.write(query.subarray(0, 5));
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(5_000);
  await closed;
});

test('createDnsServer: AXFR is refused, other opcodes are not implemented, EDNS 1 is BADVERS', async () => {
  await using dns = await started();
  assert.equal((await dns.udp('cluster.local', 'AXFR')).rcode, 5);
  assert.equal((await dns.udp('cluster.local', 'A', { opcode: 5 })).rcode, 4);
  const edns = { udpPayloadSize: 1232, version: 1, dnssecOk: false, options: [] };
  const badvers = await dns.udp('cluster.local', 'A', { edns });
  assert.deepEqual([badvers.rcode, badvers.edns?.version], [16, 0]);
});

const LOOPBACK = [parsePrefix('127.0.0.0/8')];

test('createDnsServer: a transfer over TCP to whom it is allowed, and to nobody else', async () => {
  await using dns = await started({ transferTo: LOOPBACK });
  const messages = await askForMany(dns.port, 'Cluster.Local', 'AXFR');
  const records = messages.flatMap(({ answers }) => answers);
  assert.equal(messages[0]?.questions[0]?.name, 'Cluster.Local');
  assert.deepEqual([records[0]?.type, records.at(-1)], ['SOA', records[0]]);
  // Both SOA, NS, version, ns, and of the Services: address and port, 200 endpoints twice.
  assert.equal(records.length, 2 + 1 + 1 + 1 + 2 + 400);
  assert.equal((await dns.udp('cluster.local', 'AXFR')).rcode, 5);
  assert.equal((await dns.udp('cluster.local', 'IXFR')).rcode, 5);
  const rcode = async (name: string) => (await askForMany(dns.port, name, 'AXFR')).map((each) => each.rcode);
  assert.deepEqual(await rcode('svc.cluster.local'), [9]);
  assert.deepEqual(await rcode('example.com'), [9]);
  assert.deepEqual(await rcode('96.10.in-addr.arpa'), [5]);
  assert.match(
    formatMetrics(dns.server.collectMetrics()),
    /coredns_dns_requests_total\{[^}]*proto="tcp",family="1",type="AXFR"\} 4/,
  );

  await using others = await started({ transferTo: [parsePrefix('192.0.2.0/24'), parsePrefix('::/0')] });
  assert.deepEqual(
    (await askForMany(others.port, 'cluster.local', 'AXFR')).map((each) => [each.rcode, each.answers]),
    [[5, []]],
  );
});

test('createDnsServer: IXFR gets the whole, and the serial of the SOA moves with the cluster', async () => {
  const clock = new FakeClock();
  await using dns = await started({ transferTo: LOOPBACK, clock });
  const serial = async () => {
    const [soa] = (await dns.udp('cluster.local', 'SOA')).answers;
    assert.equal(soa?.type, 'SOA');
    return soa;
  };
  const before = await serial();
  assert.deepEqual(await serial(), before);
  dns.services.set(service('shop/web', { clusterIP: '10.96.0.7' }));
  const after = await serial();
  assert.ok(after.serial > before.serial);
  const records = (await askForMany(dns.port, 'cluster.local', 'IXFR', { authorities: [before] })).flatMap(
    ({ answers }) => answers,
  );
  assert.deepEqual([records[0], records.at(-1)], [after, after]);
  assert.ok(records.some(({ name }) => name === 'web.shop.svc.cluster.local'));
  // Only IXFR may bring such a record.
  assert.equal((await dns.udp('cluster.local', 'SOA', { authorities: [before] })).rcode, 1);
});

test('createDnsServer: no transfer before the cluster is listed', async () => {
  const services = new MemoryInformer<Service>([], { synced: false });
  await using dns = await started({ services, transferTo: LOOPBACK });
  assert.deepEqual(
    (await askForMany(dns.port, 'cluster.local', 'AXFR')).map(({ rcode }) => rcode),
    [2],
  );
});

test('createDnsServer: a transfer waits for a slow reader, others are answered, then the next question', async () => {
  const count = 2000;
  const services = Array.from({ length: count }, (_, i) =>
    service(`shop/web-${i}`, {
      clusterIP: `10.96.${i >> 8}.${i & 255}`,
      ports: [{ name: 'http', port: 80 }],
    }),
  );
  const slices = services.map(({ metadata: { name = '' } = {} }, i) =>
    slice(
      `shop/${name}`,
      name,
      Array.from({ length: 100 }, (_, j) => endpoint(`10.${i >> 8}.${i & 255}.${j}`)),
    ),
  );
  const clock = new FakeClock();
  await using dns = await started({
    services: new MemoryInformer(services),
    endpointSlices: new MemoryInformer(slices),
    transferTo: LOOPBACK,
    clock,
  });
  const socket = connect(dns.port, '127.0.0.1');
  socket.end(
    Buffer.concat([
      frame(queryOf('cluster.local', 'AXFR', 1)),
      frame(queryOf('web-1.shop.svc.cluster.local', 'A', 2)),
    ]),
  );
  await once(socket, 'readable');
  const first = socket.read() as Buffer;
  assert.deepEqual(addresses(await dns.udp('web-7.shop.svc.cluster.local', 'A')), ['10.96.0.7']);
  const chunks = [first];
  for await (const chunk of socket) {
    chunks.push(chunk);
    // What is read in time is no idle connection, however long it takes in all.
    clock.advance(1000);
  }
  const messages = messagesOf(Buffer.concat(chunks));
  const last = messages.at(-1);
  assert.deepEqual([last?.id, last && addresses(last)], [2, ['10.96.0.1']]);
  const transferred = messages.slice(0, -1).flatMap(({ answers }) => answers);
  assert.equal(transferred.length, 2 + 1 + 1 + 1 + count * (2 + 100));

  // Who reads no more is let go, and what was being sent is given up.
  const stuck = connect(dns.port, '127.0.0.1');
  stuck.write(frame(queryOf('cluster.local', 'AXFR', 1)));
  stuck.on('error', () => {});
  await once(stuck, 'readable');
  await new Promise((resolve) => setTimeout(resolve, 300));
  clock.advance(10_000);
  stuck.resume();
  await once(stuck, 'close');
  assert.match(
    formatMetrics(dns.server.collectMetrics()),
    /coredns_dns_responses_total\{[^}]*rcode="NOERROR"\} 4/,
  );
});

test('createDnsServer: an ExternalName is followed into the cluster and to the upstream', async () => {
  await using upstream = await UpstreamServer.start(({ query }) =>
    replyTo(query, {
      answers: [{ name: 'www.example.com', class: 1, ttl: 60, type: 'A', address: parseIp('192.0.2.53') }],
    }),
  );
  await using dns = await started({ upstreams: [`127.0.0.1:${upstream.port}`] });
  dns.services.set(service('default/foo', { type: 'ExternalName', externalName: 'WWW.example.com' }));
  dns.services.set(
    service('default/bar', { type: 'ExternalName', externalName: 'kubernetes.default.svc.cluster.local' }),
  );
  dns.services.set(
    service('default/self', { type: 'ExternalName', externalName: 'self.default.svc.cluster.local' }),
  );
  const foo = await dns.udp('foo.default.svc.cluster.local', 'A');
  assert.deepEqual([foo.authoritative, addresses(foo)], [true, ['CNAME', '192.0.2.53']]);
  assert.deepEqual(addresses(await dns.udp('bar.default.svc.cluster.local', 'A')), ['CNAME', '10.96.0.1']);
  assert.deepEqual(addresses(await dns.udp('bar.default.svc.cluster.local', 'CNAME')), ['CNAME']);
  assert.equal((await dns.udp('self.default.svc.cluster.local', 'A')).rcode, 2);
  // The Service changes while the upstream's part is still good.
  dns.services.set(service('default/foo', { clusterIP: '10.96.0.9' }));
  assert.deepEqual(addresses(await dns.udp('foo.default.svc.cluster.local', 'A')), ['10.96.0.9']);
});

test('createDnsServer: upstream, stub domain, hosts and cluster each answer for their own names', async () => {
  const give =
    (address: string): Handler =>
    ({ query }) =>
      replyTo(query, {
        answers: [
          { name: query.questions[0]?.name ?? '', class: 1, ttl: 60, type: 'A', address: parseIp(address) },
        ],
      });
  await using world = await UpstreamServer.start(give('192.0.2.1'));
  await using corp = await UpstreamServer.start(give('192.0.2.2'));
  await using dns = await started({
    upstreams: [`127.0.0.1:${world.port}`],
    stubDomains: { 'corp.example': [`127.0.0.1:${corp.port}`] },
    hosts: [{ address: parseIp('192.0.2.3'), names: ['gate.example'] }],
  });
  assert.deepEqual(addresses(await dns.udp('a.example', 'A')), ['192.0.2.1']);
  assert.deepEqual(addresses(await dns.udp('a.corp.example', 'A')), ['192.0.2.2']);
  assert.deepEqual(addresses(await dns.udp('gate.example', 'A')), ['192.0.2.3']);
  assert.equal((await dns.udp('none.default.svc.cluster.local', 'A')).rcode, 3);
  await dns.udp('A.example', 'A');
  assert.deepEqual([world.asked.length, corp.asked.length], [1, 1]);
});

test('createDnsServer: DO, CD and AD go to the upstream and back, and each kind of question has its own answer', async () => {
  const HTTPS = 65;
  const data = Uint8Array.from([0, 1, 0, 0, 1, 0, 3, 2, 104, 50]);
  await using upstream = await UpstreamServer.start(({ query }) => {
    const [{ name, typeCode } = { name: '', typeCode: 0 }] = query.questions;
    const head = { name, class: 1, ttl: 60 };
    const signature = {
      ...head,
      type: 'unknown' as const,
      typeCode: 46,
      data: Uint8Array.of(0, typeCode, 13),
    };
    if (name.toLowerCase().startsWith('bogus') && !query.checkingDisabled)
      return replyTo(query, { rcode: 2 });
    return replyTo(query, {
      authenticData: !query.checkingDisabled,
      answers: [
        typeCode === HTTPS
          ? { ...head, type: 'unknown', typeCode: HTTPS, data }
          : { ...head, type: 'A', address: parseIp('192.0.2.1') },
        ...(query.edns?.dnssecOk === true ? [signature] : []),
      ],
    });
  });
  await using dns = await started({ upstreams: [`127.0.0.1:${upstream.port}`] });
  const edns = { udpPayloadSize: 1232, version: 0, dnssecOk: true, options: [] };
  const ask = async (name: string, more: Partial<Message> = {}) => {
    const { rcode, answers, authenticData, checkingDisabled } = await dns.udp(name, 'A', more);
    return [rcode, answers.length, authenticData, checkingDisabled];
  };
  for (let twice = 0; twice < 2; twice++) {
    assert.deepEqual(await ask('a.example'), [0, 1, false, false]);
    assert.deepEqual(await ask('a.example', { authenticData: true }), [0, 1, true, false]);
    assert.deepEqual(await ask('a.example', { edns }), [0, 2, true, false]);
    assert.deepEqual(await ask('a.example', { edns, checkingDisabled: true }), [0, 2, false, true]);
    assert.deepEqual(await ask('bogus.example'), [2, 0, false, false]);
    assert.deepEqual(await ask('bogus.example', { checkingDisabled: true }), [0, 1, false, true]);
  }
  assert.equal(upstream.asked.length, 5);
  // Of a chain that begins here, only a part is proved.
  dns.services.set(service('default/foo', { type: 'ExternalName', externalName: 'a.example' }));
  assert.deepEqual(await ask('foo.default.svc.cluster.local', { edns }), [0, 3, false, false]);
  const { answers } = await dns.udp('a.example', 'HTTPS');
  assert.deepEqual(
    answers.map((each) => each.type === 'unknown' && [...each.data]),
    [[...data]],
  );
});

test('createDnsServer: CoreDNS’s numbers of cache and upstreams', async () => {
  await using upstream = await UpstreamServer.start(({ query }) => {
    const { name = '' } = query.questions[0] ?? {};
    if (!name.toLowerCase().startsWith('a'))
      return replyTo(query, { rcode: 3, authorities: [soaOf('example')] });
    const address = parseIp('192.0.2.1');
    return replyTo(query, { answers: [{ name, class: 1, ttl: 60, type: 'A', address }] });
  });
  const to = `127.0.0.1:${upstream.port}`;
  await using dns = await started({ upstreams: [to] });
  for (const name of ['a.example', 'a.example', 'a.example', 'b.example', 'b.example'])
    await dns.udp(name, 'A');
  const lines = formatMetrics(dns.server.collectMetrics()).split('\n');
  for (const line of [
    'coredns_cache_requests_total 5',
    'coredns_cache_hits_total{type="success"} 2',
    'coredns_cache_hits_total{type="denial"} 1',
    'coredns_cache_misses_total 2',
    'coredns_cache_entries{type="success"} 1',
    'coredns_cache_entries{type="denial"} 1',
    `coredns_proxy_request_duration_seconds_count{proxy_name="forward",to="${to}",rcode="NOERROR"} 1`,
    `coredns_proxy_healthcheck_failures_total{proxy_name="forward",to="${to}"} 0`,
  ])
    assert.ok(lines.includes(line), line);
});

const soaOf = (name: string): ResourceRecord => ({
  ...{ name, class: 1, ttl: 60, type: 'SOA', primary: `ns.${name}`, mailbox: `h.${name}` },
  ...{ serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 60 },
});

test('createDnsServer: a kept answer is for its name in every case, and not for a name like it', async () => {
  // These octets differ in the bit that letters of two cases differ in.
  const hosts = ['a@b.example', 'a`b.example', 'a[b.example', 'a{b.example'].map((name, i) => ({
    address: parseIp(`192.0.2.${i + 1}`),
    names: [name],
  }));
  await using dns = await started({ hosts });
  for (let twice = 0; twice < 2; twice++)
    for (const { address, names } of hosts)
      for (const name of [...names, ...names.map((each) => each.toUpperCase())])
        assert.deepEqual(addresses(await dns.udp(name, 'A')), [address], name);
});

test('createDnsServer: an upstream that forwards to this server is found and left alone', async () => {
  const relay = createSocket('udp4');
  relay.bind(0, '127.0.0.1');
  await once(relay, 'listening');
  await using dns = await started({ upstreams: [`127.0.0.1:${relay.address().port}`] });
  relay.on('message', (packet) => relay.send(packet, dns.port, '127.0.0.1'));
  const probes = Promise.withResolvers<void>();
  relay.once('message', () => setTimeout(probes.resolve, 20));
  await probes.promise;
  assert.equal((await dns.udp('a.example', 'A')).rcode, 2);
  relay.close();
});

test('createDnsServer: autopath answers a Pod’s first question with what its search list finds', async () => {
  await using upstream = await UpstreamServer.start(({ query }) => {
    const { name = '', typeCode } = query.questions[0] ?? {};
    if (name.toLowerCase() !== 'api.example.com') return replyTo(query, { rcode: 3 });
    const address = parseIp('192.0.2.9');
    return replyTo(query, {
      answers: typeCode === 1 ? [{ name, class: 1, ttl: 60, type: 'A', address }] : [],
    });
  });
  const pod = (namespace: string, ip: string) => ({
    metadata: { namespace, name: 'p' },
    status: { podIPs: [{ ip }] },
  });
  const pods = new MemoryInformer<Pod>([pod('default', '127.0.0.1')]);
  await using dns = await started({
    upstreams: [`127.0.0.1:${upstream.port}`],
    pods,
    autopath: { furtherDomains: ['corp.example'] },
  });
  dns.services.set(service('shop/web', { clusterIP: '10.96.0.7' }));
  const first = 'api.example.com.default.svc.cluster.local';
  assert.deepEqual(addresses(await dns.udp(first, 'A')), ['CNAME', '192.0.2.9']);
  const none = await dns.udp(first, 'AAAA');
  assert.deepEqual([none.rcode, none.answers.length], [0, 0]);
  assert.deepEqual(addresses(await dns.udp('web.shop.default.svc.cluster.local', 'A')), [
    'CNAME',
    '10.96.0.7',
  ]);
  assert.equal((await dns.udp('nope.example.com.default.svc.cluster.local', 'A')).rcode, 3);
  // Another namespace's list is not this client's, and the answer for one is not given to the other.
  assert.equal((await dns.udp('api.example.com.shop.svc.cluster.local', 'A')).rcode, 3);
  pods.set(pod('shop', '127.0.0.1'));
  pods.delete({ metadata: { namespace: 'default', name: 'p' } });
  assert.equal((await dns.udp(first, 'A')).rcode, 3);
});

test('createDnsServer: an upstream over TLS is trusted by its authority and name', async (t) => {
  const tls = await certificate('dns.example');
  if (tls === undefined) return t.skip('openssl is not installed');
  await using upstream = await UpstreamServer.start(
    ({ query, transport }) =>
      transport === 'tls'
        ? replyTo(query, {
            answers: [
              {
                name: query.questions[0]?.name ?? '',
                class: 1,
                ttl: 60,
                type: 'A',
                address: parseIp('192.0.2.1'),
              },
            ],
          })
        : undefined,
    tls,
  );
  const at = `tls://127.0.0.1:${upstream.port}`;
  await using good = await started({ upstreams: [`${at}#dns.example`], upstreamCa: tls.cert });
  assert.deepEqual(addresses(await good.udp('a.example', 'A')), ['192.0.2.1']);
  await using wrongName = await started({ upstreams: [`${at}#other.example`], upstreamCa: tls.cert });
  assert.equal((await wrongName.udp('a.example', 'A')).rcode, 2);
  await using untrusted = await started({ upstreams: [`${at}#dns.example`] });
  assert.equal((await untrusted.udp('a.example', 'A')).rcode, 2);
});

test('createDnsServer: a client over its limit gets no answers, and is counted', async () => {
  await using dns = await started({ clientLimits: { queriesPerSecond: 0.001, burst: 2 } });
  const name = 'kubernetes.default.svc.cluster.local';
  await dns.udp(name, 'A');
  await dns.udp(name, 'AAAA');
  const socket = createSocket('udp4');
  let replies = 0;
  socket.on('message', () => replies++);
  socket.send(queryOf(name, 'A', 1), dns.port, '127.0.0.1');
  // The TCP connection comes after the packet, so its end tells that the packet was seen.
  const tcp = connect(dns.port, '127.0.0.1');
  tcp.write(frame(queryOf(name, 'A', 2)));
  tcp.resume().on('error', () => {});
  await once(tcp, 'close');
  socket.close();
  assert.equal(replies, 0);
  const metrics = formatMetrics(dns.server.collectMetrics());
  assert.match(metrics, /^podway_dns_limited_total 2$/m);
  assert.match(
    metrics,
    /^coredns_dns_requests_total\{server="dns:[^"]+",zone="\.",proto="udp",family="1",type="A"\} 1$/m,
  );
  assert.match(metrics, /^coredns_dns_responses_total\{[^}]*rcode="NOERROR"\} 2$/m);
});

test('createDnsServer: one client’s questions outside do not take every place, and the cluster’s names need none', async () => {
  await using silent = await UpstreamServer.start(() => undefined);
  await using dns = await started({ upstreams: [`127.0.0.1:${silent.port}`] });
  const socket = createSocket('udp4');
  const refused = Promise.withResolvers<Message>();
  socket.on('message', (packet) => refused.resolve(decodeMessage(packet)));
  for (let i = 0; i < 260; i++) socket.send(queryOf(`n${i}.example`, 'A', i), dns.port, '127.0.0.1');
  // Those over the quarter are told at once, long before the silent upstream's time is up.
  const { rcode, id } = await refused.promise;
  assert.deepEqual([rcode, id], [2, 250]);
  assert.equal((await dns.udp('kubernetes.default.svc.cluster.local', 'A')).rcode, 0);
  socket.close();
});

test('createDnsServer: a TCP client that asks much and reads nothing is left waiting, and the others are not', async () => {
  await using dns = await started();
  const greedy = connect(dns.port, '127.0.0.1');
  greedy.pause().on('error', () => {});
  const question = frame(queryOf('big.default.svc.cluster.local', 'A', 1));
  const before = process.memoryUsage().external;
  for (let i = 0; i < 20_000; i++) greedy.write(question);
  for (let i = 0; i < 50; i++) await dns.udp('kubernetes.default.svc.cluster.local', 'A');
  assert.equal((await dns.udp('kubernetes.default.svc.cluster.local', 'A')).rcode, 0);
  // 20000 answers would be 65 MB.
  assert.ok(process.memoryUsage().external - before < 30_000_000);
  greedy.destroy();
});

test('createDnsServer: the query log names the asking Pod', async () => {
  const lines: LogRecord[] = [];
  const pods = new MemoryInformer<Pod>([
    { metadata: { namespace: 'shop', name: 'cart-0' }, status: { podIPs: [{ ip: '127.0.0.1' }] } },
  ]);
  await using dns = await started({
    pods,
    queryLogRate: 1,
    logger: createLogger((line) => lines.push(line)),
  });
  await dns.udp('nope.default.svc.cluster.local', 'AAAA');
  const { ms: _, ...fields } = lines.find(({ message }) => message === 'dns: query')?.fields ?? {};
  assert.deepEqual(fields, {
    name: 'nope.default.svc.cluster.local',
    type: 'AAAA',
    rcode: 'NXDOMAIN',
    client: 'shop/cart-0',
    transport: 'udp',
  });
});

test('createDnsServer: 10000 packets of noise and damaged messages, and no question in between is lost', async () => {
  const { replies, questions, lost } = await fuzzServer(10_000, seededRandom(7));
  assert.deepEqual([questions, lost], [100, 0]);
  assert.ok(replies > 1000);
});

test('createDnsServer: no wrong answer while Services change', async () => {
  await using dns = await started({ clientLimits: { queriesPerSecond: Number.POSITIVE_INFINITY, burst: 1 } });
  const random = seededRandom(11);
  const name = (i: number) => `s${i}.churn.svc.cluster.local`;
  const present = new Map<number, string>();
  let checked = 0;
  for (let round = 0; round < 400; round++) {
    const i = Math.floor(random.next() * 20);
    if (random.next() < 0.3) {
      dns.services.delete({ metadata: { namespace: 'churn', name: `s${i}` } });
      present.delete(i);
    } else {
      const address = `10.96.${round >> 8}.${round & 255}`;
      dns.services.set(service(`churn/s${i}`, { clusterIP: address }));
      present.set(i, address);
    }
    // One that changed and one that did not, each against what is so now.
    for (const each of [i, Math.floor(random.next() * 20)]) {
      const reply = await dns.udp(name(each), 'A');
      const expected = present.get(each);
      assert.deepEqual(addresses(reply), expected === undefined ? [] : [expected]);
      assert.equal(reply.rcode, expected === undefined ? 3 : 0);
      checked++;
    }
  }
  assert.equal(checked, 800);
});

test('createDnsServer: when an address cannot be bound it throws and leaves nothing open', async () => {
  await using dns = await started();
  await assert.rejects(
    started({
      listen: [
        { address: '127.0.0.1', port: 0 },
        { address: '127.0.0.1', port: dns.port },
      ],
    }),
    { code: 'DnsSocket', errno: 'EADDRINUSE' },
  );
});
