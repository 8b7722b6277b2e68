import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { parsePrefix } from '#ip';
import type { Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { FakeClock } from '#runtime';
import { endpoint, service, slice } from '../fixtures/objects.ts';
import { addresses, frame, messagesOf, queryOf } from '../fixtures/questions.ts';
import { started } from '../fixtures/started-server.ts';
import { formatMetrics } from './metrics.ts';

const LOOPBACK = [parsePrefix('127.0.0.0/8')];

test('createDnsServer: a transfer over TCP to whom it is allowed, and to nobody else', async () => {
  await using dns = await started({ transferTo: LOOPBACK });
  const messages = await dns.tcp('Cluster.Local', 'AXFR');
  const records = messages.flatMap(({ answers }) => answers);
  assert.equal(messages[0]?.questions[0]?.name, 'Cluster.Local');
  assert.deepEqual([records[0]?.type, records.at(-1)], ['SOA', records[0]]);
  // Both SOA, NS, version, ns, and of the Services: address and port, 200 endpoints twice.
  assert.equal(records.length, 2 + 1 + 1 + 1 + 2 + 400);
  assert.equal((await dns.udp('cluster.local', 'AXFR')).rcode, 5);
  assert.equal((await dns.udp('cluster.local', 'IXFR')).rcode, 5);
  const rcode = async (name: string) => (await dns.tcp(name, 'AXFR')).map((each) => each.rcode);
  assert.deepEqual(await rcode('svc.cluster.local'), [9]);
  assert.deepEqual(await rcode('example.com'), [9]);
  assert.deepEqual(await rcode('96.10.in-addr.arpa'), [5]);
  assert.match(
    formatMetrics(dns.server.collectMetrics()),
    /coredns_dns_requests_total\{[^}]*proto="tcp",family="1",type="AXFR"\} 4/,
  );

  await using others = await started({ transferTo: [parsePrefix('192.0.2.0/24'), parsePrefix('::/0')] });
  assert.deepEqual(
    (await others.tcp('cluster.local', 'AXFR')).map((each) => [each.rcode, each.answers]),
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
  const records = (await dns.tcp('cluster.local', 'IXFR', { authorities: [before] })).flatMap(
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
    (await dns.tcp('cluster.local', 'AXFR')).map(({ rcode }) => rcode),
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
  for (let i = 0; i < 30; i++) {
    // At first the system's buffers are still being filled.
    await new Promise((resolve) => setTimeout(resolve, 10));
    clock.advance(10_000);
  }
  stuck.resume();
  await once(stuck, 'close');
  assert.match(
    formatMetrics(dns.server.collectMetrics()),
    /coredns_dns_responses_total\{[^}]*rcode="NOERROR"\} 4/,
  );
});
