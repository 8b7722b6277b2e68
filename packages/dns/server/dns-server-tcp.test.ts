import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { MemoryInformer } from '#kube-client';
import { FakeClock } from '#runtime';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import { addresses, frame, queryOf } from '../fixtures/questions.ts';
import { started } from '../fixtures/started-server.ts';
import { decodeMessage } from '../wire/index.ts';

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
    const [reply] = await dns.tcp('huge.default.svc.cluster.local', 'A');
    assert.ok(reply?.truncated);
    assert.equal(reply.answers.length, Math.floor((0xffff - 12 - 36) / 16));
    for (const address of addresses(reply)) seen.add(address);
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
