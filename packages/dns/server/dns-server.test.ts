import assert from 'node:assert/strict';
import test from 'node:test';
import { parseIp } from '#ip';
import type { Pod, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { createLogger, type LogRecord, seededRandom } from '#runtime';
import { service } from '../fixtures/objects.ts';
import { addresses } from '../fixtures/questions.ts';
import { started } from '../fixtures/started-server.ts';

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

test('createDnsServer: AXFR is refused, other opcodes are not implemented, EDNS 1 is BADVERS', async () => {
  await using dns = await started();
  assert.equal((await dns.udp('cluster.local', 'AXFR')).rcode, 5);
  assert.equal((await dns.udp('cluster.local', 'A', { opcode: 5 })).rcode, 4);
  const edns = { udpPayloadSize: 1232, version: 1, dnssecOk: false, options: [] };
  const badvers = await dns.udp('cluster.local', 'A', { edns });
  assert.deepEqual([badvers.rcode, badvers.edns?.version], [16, 0]);
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
        { address: parseIp('127.0.0.1'), port: 0 },
        { address: parseIp('127.0.0.1'), port: dns.port },
      ],
    }),
    { code: 'DnsSocket', errno: 'EADDRINUSE' },
  );
});
