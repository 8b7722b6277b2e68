import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { CONFIG_MAPS, PODS } from '#kube-api';
import { type Clock, FakeClock } from '#runtime';
import { createKubeClient, type KubeClientOptions } from './client.ts';
import { kubeClientConformance } from './conformance/index.ts';
import { ApiError, ApiUnreachableError } from './errors.ts';
import { FakeKubeClient } from './fake/fake-client.ts';
import { serveKubeClient } from './fake/fake-server.ts';
import { createInformer } from './informer.ts';

const connectTo = (server: string, options: KubeClientOptions = {}, clock?: Clock) =>
  createKubeClient(
    { server, credentials: { token: 'secret' }, namespace: 'default' },
    clock === undefined ? {} : { clock },
    options,
  );

kubeClientConformance('HTTP', async () => {
  const served = await serveKubeClient(new FakeKubeClient());
  const client = connectTo(served.url);
  return {
    client,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await served[Symbol.asyncDispose]();
    },
  };
});

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('createKubeClient: says who it is and what it accepts', async () => {
  const seen: (string | undefined)[] = [];
  await using server = await serve((request, response) => {
    seen.push(
      request.headers.authorization,
      request.headers.accept,
      request.headers['user-agent'],
      request.url,
    );
    response.end('{"metadata":{"name":"a"}}');
  });
  using client = connectTo(`${server.url}/clusters/one/`, { userAgent: 'test/1' });
  await client.get(PODS, { namespace: 'n', name: 'a' });
  assert.deepEqual(seen, [
    'Bearer secret',
    'application/json',
    'test/1',
    '/clusters/one/api/v1/namespaces/n/pods/a',
  ]);
});

test('createKubeClient: one connection serves requests that follow each other', async () => {
  const ports = new Set<number | undefined>();
  await using server = await serve((request, response) => {
    ports.add(request.socket.remotePort);
    response.end('{}');
  });
  using client = connectTo(server.url);
  for (let i = 0; i < 5; i++) await client.get(PODS, { namespace: 'n', name: 'a' });
  assert.equal(ports.size, 1);
});

test('createKubeClient: a list is read page by page', async () => {
  const fake = new FakeKubeClient();
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await fake.create(CONFIG_MAPS, { metadata: { namespace: 'default', name } });
  await using served = await serveKubeClient(fake);
  using client = connectTo(served.url, { pageSize: 2 });
  const { items } = await client.list(CONFIG_MAPS);
  assert.deepEqual(
    items.map((item) => item.metadata?.name),
    ['a', 'b', 'c', 'd', 'e'],
  );
});

test('createKubeClient: waits as long as Retry-After says and tries again', async () => {
  const clock = new FakeClock();
  let requests = 0;
  await using server = await serve((_, response) => {
    if (++requests > 1) return response.end('{"metadata":{"name":"a"}}');
    response.writeHead(429, { 'retry-after': '3' });
    return response.end();
  });
  using client = connectTo(server.url, {}, clock);
  const answer = client.get(PODS, { namespace: 'n', name: 'a' });
  while (requests < 1) await new Promise((resolve) => setImmediate(resolve));
  const waiting = setInterval(() => clock.advance(1000), 1);
  assert.equal((await answer).metadata?.name, 'a');
  clearInterval(waiting);
  assert.equal(requests, 2);
  assert.ok(clock.now() >= 3000, `${clock.now()} ms`);
});

test('createKubeClient: a server that does not answer in time is unreachable', async () => {
  const clock = new FakeClock();
  let asked = () => {};
  const request = new Promise<void>((resolve) => {
    asked = resolve;
  });
  await using server = await serve(() => asked());
  using client = connectTo(server.url, { requestTimeoutMs: 500 }, clock);
  const answer = assert.rejects(
    client.get(PODS, { namespace: 'n', name: 'a' }),
    (error) => error instanceof ApiUnreachableError && /no answer in 500 ms/.test(error.message),
  );
  await request;
  clock.advance(500);
  await answer;
});

test('createKubeClient: a server that is not there is unreachable, and the error says where', async () => {
  const server = await serve(() => {});
  await server[Symbol.asyncDispose]();
  using client = connectTo(server.url);
  await assert.rejects(client.list(PODS), (error) => {
    assert.ok(error instanceof ApiUnreachableError);
    assert.match(error.message, /GET http:\/\/127\.0\.0\.1:\d+\/api\/v1\/pods.*ECONNREFUSED/);
    return true;
  });
});

test('createKubeClient: an answer that is no Status still tells its HTTP code', async () => {
  await using server = await serve((_, response) => {
    response.statusCode = 502;
    response.end('<html>bad gateway</html>');
  });
  using client = connectTo(server.url);
  await assert.rejects(client.list(PODS), (error) => {
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 502);
    assert.match(error.message, /HTTP 502: <html>/);
    return true;
  });
});

test('createKubeClient: a watch in which nothing is heard is taken for dead', async () => {
  const clock = new FakeClock();
  await using server = await serve((_, response) => {
    response.flushHeaders();
    response.write('{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}\n');
  });
  using client = connectTo(server.url, { watchIdleTimeoutMs: 1000 }, clock);
  const { signal } = new AbortController();
  const events = client.watch(PODS, { resourceVersion: '1', signal })[Symbol.asyncIterator]();
  assert.deepEqual((await events.next()).value, { type: 'BOOKMARK', resourceVersion: '7' });
  const next = assert.rejects(events.next(), /nothing heard for 1000 ms/);
  clock.advance(1000);
  await next;
});

test('createKubeClient: a watch cut in the middle of an event is an error, not an end', async () => {
  await using server = await serve((_, response) => {
    response.end('{"type":"ADDED","obj');
  });
  using client = connectTo(server.url);
  const { signal } = new AbortController();
  const events = client.watch(PODS, { resourceVersion: '1', signal })[Symbol.asyncIterator]();
  await assert.rejects(events.next(), /in the middle of an event/);
});

test('createKubeClient: a watch of a forgotten version ends with 410', async () => {
  const fake = new FakeKubeClient();
  const { resourceVersion } = await fake.list(CONFIG_MAPS);
  await fake.create(CONFIG_MAPS, { metadata: { namespace: 'default', name: 'a' } });
  fake.compact();
  await using served = await serveKubeClient(fake);
  using client = connectTo(served.url);
  const { signal } = new AbortController();
  const events = client.watch(CONFIG_MAPS, { resourceVersion, signal })[Symbol.asyncIterator]();
  await assert.rejects(events.next(), (error) => error instanceof ApiError && error.status === 410);
});

test('createInformer over HTTP: a server that goes and comes back costs nothing but time', async () => {
  const fake = new FakeKubeClient();
  const served = await serveKubeClient(fake);
  using client = connectTo(served.url);
  await using informer = createInformer(client, CONFIG_MAPS, {}, { retryMs: { first: 5, max: 20 } });
  const seen: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  informer.onChange((current) => {
    seen.push(current?.metadata?.name ?? 'deleted');
    if (current?.metadata?.name === 'b') resolve();
  });
  await fake.create(CONFIG_MAPS, { metadata: { namespace: 'default', name: 'a' } });
  await informer.synced;
  await served[Symbol.asyncDispose]();
  await fake.create(CONFIG_MAPS, { metadata: { namespace: 'default', name: 'b' } });
  assert.equal(informer.get('default/b'), undefined);
  await using _again = await serveKubeClient(fake, Number(new URL(served.url).port));
  await promise;
  assert.deepEqual(seen, ['a', 'b']);
});
