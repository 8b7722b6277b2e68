import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import test from 'node:test';
import { FakeClock, seededRandom } from '#runtime';
import { fuzzServer } from '../fixtures/fuzz.ts';
import { frame, queryOf } from '../fixtures/questions.ts';
import { started } from '../fixtures/started-server.ts';
import { UpstreamServer } from '../fixtures/upstream-server.ts';
import { decodeMessage, type Message } from '../wire/index.ts';
import { formatMetrics } from './metrics.ts';

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
  // Its time never moves, so that the silent upstream is not given up.
  const clock = new FakeClock();
  await using dns = await started({ upstreams: [`127.0.0.1:${silent.port}`], clock });
  const socket = createSocket('udp4');
  const refused = Promise.withResolvers<Message>();
  socket.on('message', (packet) => refused.resolve(decodeMessage(packet)));
  for (let i = 0; i < 260; i++) socket.send(queryOf(`n${i}.example`, 'A', i), dns.port, '127.0.0.1');
  // Those over the quarter are told at once.
  const { rcode, id } = await refused.promise;
  assert.deepEqual([rcode, id], [2, 250]);
  assert.equal((await dns.udp('kubernetes.default.svc.cluster.local', 'A')).rcode, 0);
  socket.close();
});

test('createDnsServer: 10000 packets of noise and damaged messages, and no question in between is lost', async () => {
  const { replies, questions, lost } = await fuzzServer(10_000, seededRandom(7));
  assert.deepEqual([questions, lost], [100, 0]);
  assert.ok(replies > 1000);
});
