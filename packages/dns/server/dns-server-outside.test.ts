import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import test from 'node:test';
import { parseIp } from '#ip';
import type { Pod } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { certificate } from '../fixtures/certificate.ts';
import { service } from '../fixtures/objects.ts';
import { addresses } from '../fixtures/questions.ts';
import { a, soa } from '../fixtures/records.ts';
import { started } from '../fixtures/started-server.ts';
import { answerWith, replyTo, UpstreamServer } from '../fixtures/upstream-server.ts';
import type { Message } from '../wire/index.ts';
import { formatMetrics } from './metrics.ts';

test('createDnsServer: an ExternalName is followed into the cluster and to the upstream', async () => {
  await using upstream = await UpstreamServer.start(({ query }) =>
    replyTo(query, {
      answers: [a('www.example.com', '192.0.2.53')],
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
  await using world = await UpstreamServer.start(answerWith('192.0.2.1'));
  await using corp = await UpstreamServer.start(answerWith('192.0.2.2'));
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
        typeCode === HTTPS ? { ...head, type: 'unknown', typeCode: HTTPS, data } : a(name, '192.0.2.1'),
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
      return replyTo(query, { rcode: 3, authorities: [soa('example')] });
    return replyTo(query, { answers: [a(name, '192.0.2.1')] });
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
    `coredns_proxy_healthcheck_failures_total{proxy_name="forward",to="${to}"} 0`,
  ])
    assert.ok(lines.includes(line), line);
  // A busy machine answers late, and the question is asked again.
  const asked = `coredns_proxy_request_duration_seconds_count{proxy_name="forward",to="${to}",rcode="NOERROR"} `;
  const count = lines.find((line) => line.startsWith(asked))?.slice(asked.length);
  assert.ok(Number(count) >= 1, count);
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
    return replyTo(query, {
      answers: typeCode === 1 ? [a(name, '192.0.2.9')] : [],
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
        ? replyTo(query, { answers: [a(query.questions[0]?.name ?? '', '192.0.2.1')] })
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
