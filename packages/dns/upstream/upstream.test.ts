import assert from 'node:assert/strict';
import test from 'node:test';
import type { IpAddress } from '#ip';
import { eventually, FakeClock, seededRandom, silentLogger, systemClock } from '#runtime';
import { a, soa } from '../fixtures/records.ts';
import { answerWith, replyTo, UpstreamServer } from '../fixtures/upstream-server.ts';
import type { Message, Question, ResourceRecord } from '../wire/index.ts';
import { Forwarder, type ForwardPolicy } from './forwarder.ts';
import { LoopGuard } from './loop-guard.ts';
import { Upstream } from './upstream.ts';

const deps = { clock: systemClock, random: seededRandom(1), logger: silentLogger };
const question: Question = { name: 'www.example.com', typeCode: 1, class: 1 };
const LOOPBACK = '127.0.0.1' as IpAddress;
/** Longer than a busy machine takes. */
const PATIENCE_MS = 30_000;
const SHORT_MS = 100;
const upstreamOf = (server: UpstreamServer, timeoutMs = PATIENCE_MS) =>
  new Upstream({ transport: 'udp', address: LOOPBACK, port: server.port }, deps, { timeoutMs });
const addresses = (records: readonly ResourceRecord[]) =>
  records.map((each) => (each.type === 'A' ? each.address : each.type));

test('Upstream: asks with a random id and case, and EDNS', async () => {
  await using server = await UpstreamServer.start(answerWith('192.0.2.1'));
  using upstream = upstreamOf(server);
  assert.deepEqual(addresses((await upstream.ask(question)).answers), ['192.0.2.1']);
  await upstream.ask(question);
  const [first, second] = server.asked;
  assert.notEqual(first?.query.id, second?.query.id);
  assert.notEqual(first?.query.questions[0]?.name, second?.query.questions[0]?.name);
  assert.equal(first?.query.questions[0]?.name.toLowerCase(), question.name);
  assert.equal(first?.query.edns?.udpPayloadSize, 1232);
});

test('Upstream: replies with a wrong id or question are passed over', async () => {
  await using server = await UpstreamServer.start(({ query }) => [
    replyTo({ ...query, id: query.id ^ 1 }, { answers: [a('www.example.com', '6.6.6.6')] }),
    replyTo(query, { response: false }),
    replyTo(query, { questions: [{ name: 'other.example', typeCode: 1, class: 1 }] }),
    replyTo(query, { questions: [{ name: query.questions[0]?.name ?? '', typeCode: 28, class: 1 }] }),
    replyTo(query, { answers: [a('www.example.com', '192.0.2.1')] }),
  ]);
  using upstream = upstreamOf(server);
  assert.deepEqual(addresses((await upstream.ask(question)).answers), ['192.0.2.1']);
  assert.equal(upstream.rejectedReplies, 4);
});

test('Upstream: a reply in another case is asked for again over TCP', async () => {
  await using server = await UpstreamServer.start(({ query, transport }) =>
    transport === 'udp'
      ? replyTo(query, { questions: [question], answers: [a('www.example.com', '6.6.6.6')] })
      : replyTo(query, { questions: [question], answers: [a('www.example.com', '192.0.2.1')] }),
  );
  using upstream = upstreamOf(server);
  assert.deepEqual(addresses((await upstream.ask(question)).answers), ['192.0.2.1']);
});

test('Upstream: a truncated reply is asked for again over TCP, many at once on one connection', async () => {
  await using server = await UpstreamServer.start(({ query, transport }) =>
    transport === 'udp'
      ? replyTo(query, { truncated: true })
      : replyTo(query, { answers: [a('www.example.com', '192.0.2.1')] }),
  );
  using upstream = upstreamOf(server);
  const replies = await Promise.all(Array.from({ length: 10 }, () => upstream.ask(question)));
  assert.ok(replies.every(({ answers }) => answers.length === 1));
});

test('Upstream: a server that knows no EDNS is asked without', async () => {
  await using server = await UpstreamServer.start(({ query }) =>
    query.edns === undefined
      ? replyTo(query, { answers: [a('www.example.com', '192.0.2.1')] })
      : replyTo(query, { rcode: 1 }),
  );
  using upstream = upstreamOf(server);
  assert.equal((await upstream.ask(question)).rcode, 0);
  await upstream.ask(question);
  assert.equal(server.asked.length, 3);
});

test('Upstream: silence is a timeout, a closed port is unreachable; two failures take it down for a while', async () => {
  await using server = await UpstreamServer.start(() => undefined);
  using silent = upstreamOf(server, 20);
  await assert.rejects(silent.ask(question), { code: 'DnsUpstream', fault: 'timeout' });
  assert.equal(silent.isDown, false);
  await assert.rejects(silent.ask(question), { fault: 'timeout' });
  assert.equal(silent.isDown, true);

  const clock = new FakeClock();
  using closed = new Upstream(
    { transport: 'udp', address: LOOPBACK, port: 1 },
    { ...deps, clock },
    { timeoutMs: 1000 },
  );
  await assert.rejects(closed.ask(question), { fault: 'unreachable' });
  await assert.rejects(closed.ask(question), { fault: 'unreachable' });
  assert.equal(closed.isDown, true);
});

test('Upstream: one that is down is probed, and is well again when it replies, whatever it says', async () => {
  const clock = new FakeClock();
  let works = false;
  await using server = await UpstreamServer.start(({ query, transport }) =>
    works
      ? replyTo(query, { rcode: 5 })
      : replyTo(query, transport === 'udp' ? { truncated: true } : { id: 0 }),
  );
  using upstream = new Upstream(
    { transport: 'udp', address: LOOPBACK, port: server.port },
    { ...deps, clock },
    { timeoutMs: 1000 },
  );
  for (let i = 0; i < 2; i++) {
    const asked = upstream.ask(question);
    await eventually('it is asked', () => server.asked.filter((each) => each.transport === 'tcp').length > i);
    clock.advance(1000);
    await assert.rejects(asked);
  }
  assert.equal(upstream.isDown, true);
  works = true;
  const before = server.asked.length;
  clock.advance(499);
  assert.equal(server.asked.length, before);
  clock.advance(1);
  await eventually('it is well again', () => !upstream.isDown);
  assert.deepEqual(server.asked.at(-1)?.query.questions, [{ name: '.', typeCode: 2, class: 1 }]);
});

const forwarder = (servers: readonly UpstreamServer[], policy: ForwardPolicy, clock?: FakeClock) =>
  new Forwarder(
    { ...deps, ...(clock && { clock }) },
    {
      upstreams: servers.map(({ port }) => ({ transport: 'udp', address: LOOPBACK, port })),
      policy,
      timeoutMs: clock === undefined ? PATIENCE_MS : SHORT_MS,
    },
  );
/** An upstream that is asked in vain: the time to wait for it is over at once. */
const silentUpstream = (clock: FakeClock) =>
  UpstreamServer.start(() => {
    setImmediate(() => clock.advance(SHORT_MS));
    return undefined;
  });

test('Forwarder: the next upstream is asked when one is silent, fails or refuses; a down one comes last', async () => {
  const clock = new FakeClock();
  await using silent = await silentUpstream(clock);
  await using failing = await UpstreamServer.start(({ query }) => replyTo(query, { rcode: 2 }));
  await using good = await UpstreamServer.start(answerWith('192.0.2.1'));
  using forward = forwarder([silent, failing, good], 'sequential', clock);
  for (let i = 0; i < 3; i++)
    assert.deepEqual(addresses((await forward.resolve(question)).answers), ['192.0.2.1']);
  assert.equal(silent.asked.length, 2);
  assert.equal(failing.asked.length, 3);
});

test('Forwarder: SERVFAIL when nobody answers, and a lone upstream is asked again', async () => {
  const clock = new FakeClock();
  await using silent = await silentUpstream(clock);
  using forward = forwarder([silent], 'random', clock);
  assert.equal((await forward.resolve(question)).rcode, 2);
  assert.equal(silent.asked.length, 3);
});

test('Forwarder: round-robin asks each in turn', async () => {
  await using one = await UpstreamServer.start(answerWith('192.0.2.1'));
  await using two = await UpstreamServer.start(answerWith('192.0.2.2'));
  using forward = forwarder([one, two], 'round-robin');
  for (let i = 0; i < 4; i++) await forward.resolve(question);
  assert.deepEqual([one.asked.length, two.asked.length], [2, 2]);
});

test('Forwarder: random asks all alike', async () => {
  await using one = await UpstreamServer.start(answerWith('192.0.2.1'));
  await using two = await UpstreamServer.start(answerWith('192.0.2.2'));
  using forward = forwarder([one, two], 'random');
  for (let i = 0; i < 120; i++) await forward.resolve(question);
  assert.equal(one.asked.length + two.asked.length, 120);
  assert.ok(one.asked.length > 25 && two.asked.length > 25, `${one.asked.length} of 120`);
});

test('Forwarder: only the records along the CNAMEs and the SOA of a denial are believed', async () => {
  const parts: Record<string, Partial<Message>> = {
    'www.example.com': {
      answers: [
        a('evil.example', '6.6.6.6'),
        { name: 'www.example.com', class: 1, ttl: 30, type: 'CNAME', target: 'Web.example.com' },
        a('web.example.com', '192.0.2.1'),
      ],
      authorities: [{ name: 'com', class: 1, ttl: 9, type: 'NS', target: 'evil.example' }],
      additionals: [a('bank.example', '6.6.6.6')],
    },
    'gone.example.com': { rcode: 3, authorities: [soa('example.com', 300, 40)] },
    'loop.example.com': {
      answers: [{ name: 'loop.example.com', class: 1, ttl: 30, type: 'CNAME', target: 'loop.example.com' }],
    },
    'foreign.example.com': { rcode: 3, authorities: [soa('other.example')] },
  };
  await using server = await UpstreamServer.start(({ query }) =>
    replyTo(query, parts[query.questions[0]?.name.toLowerCase() ?? ''] ?? { rcode: 3 }),
  );
  using forward = forwarder([server], 'sequential');
  const found = await forward.resolve(question);
  assert.deepEqual(addresses(found.answers), ['CNAME', '192.0.2.1']);
  assert.deepEqual([found.authorities, found.additionals, found.lifetimeMs], [[], [], 30_000]);
  const gone = await forward.resolve({ ...question, name: 'gone.example.com' });
  assert.deepEqual([gone.rcode, gone.authorities[0]?.ttl, gone.lifetimeMs], [3, 40, 40_000]);
  assert.equal((await forward.resolve({ ...question, name: 'loop.example.com' })).answers.length, 1);
  const foreign = await forward.resolve({ ...question, name: 'foreign.example.com' });
  assert.deepEqual([foreign.rcode, foreign.authorities.length, foreign.lifetimeMs], [3, 0, 0]);
});

test('LoopGuard: an upstream that asks us its probe is a loop', async () => {
  const guard = new LoopGuard(seededRandom(2), silentLogger);
  await using server = await UpstreamServer.start(({ query }) => {
    guard.catches(query.questions[0]?.name.toLowerCase() ?? '');
    return replyTo(query, { rcode: 5 });
  });
  await using honest = await UpstreamServer.start(({ query }) => replyTo(query, { rcode: 3 }));
  using looping = upstreamOf(server);
  using fine = upstreamOf(honest);
  await Promise.all([guard.probe(looping), guard.probe(fine)]);
  assert.deepEqual([looping.isLoop, fine.isLoop], [true, false]);
  assert.equal(guard.catches('example.com'), false);
});
