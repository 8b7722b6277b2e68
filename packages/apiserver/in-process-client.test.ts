import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_MAPS, NODES, PODS } from '#kube-api';
import { isAlreadyExists, isConflict, isNotFound } from '#kube-client';
import { inProcessClient } from './in-process-client.ts';
import { startTestServer } from './testing/server.ts';

const name = { namespace: 'default', name: 'x' };

test('inProcessClient: verbs and failures are those of HTTP', async () => {
  await using api = await startTestServer();
  const client = inProcessClient(api.server);
  const created = await client.create(CONFIG_MAPS, { metadata: name, data: { a: '1' } });
  await client.patch(CONFIG_MAPS, name, 'merge', { data: { a: '2' } });
  await assert.rejects(client.update(CONFIG_MAPS, created), isConflict);
  await assert.rejects(client.create(CONFIG_MAPS, { metadata: name }), isAlreadyExists);
  assert.deepEqual((await client.get(CONFIG_MAPS, name)).data, { a: '2' });
  await client.delete(CONFIG_MAPS, name);
  await assert.rejects(client.get(CONFIG_MAPS, name), isNotFound);
});

test('inProcessClient: a watch goes on from a list, and ends with its signal', async () => {
  await using api = await startTestServer();
  const client = inProcessClient(api.server);
  const { resourceVersion } = await client.list(CONFIG_MAPS);
  const stop = new AbortController();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const event of client.watch(CONFIG_MAPS, { resourceVersion, signal: stop.signal })) {
      seen.push(event.type);
      if (event.type === 'DELETED') stop.abort();
    }
  })();
  await client.create(CONFIG_MAPS, { metadata: name });
  await client.patch(CONFIG_MAPS, name, 'strategic-merge', { data: { a: 'b' } });
  await client.delete(CONFIG_MAPS, name);
  await watching;
  assert.deepEqual(seen, ['ADDED', 'MODIFIED', 'DELETED']);
});

test('inProcessClient: binding assigns a Pod once', async () => {
  await using api = await startTestServer();
  const client = inProcessClient(api.server);
  await client.create(NODES, { metadata: { name: 'n1' } });
  await client.create(PODS, { metadata: name, spec: { containers: [{ name: 'c', image: 'nginx' }] } });
  const bind = () => client.post(PODS, name, 'binding', { target: { kind: 'Node', name: 'n1' } });
  await bind();
  const pod = await client.get(PODS, name);
  assert.equal(pod.spec?.nodeName, 'n1');
  assert.equal(pod.status?.conditions?.[0]?.type, 'PodScheduled');
  await assert.rejects(bind(), isConflict);
});
