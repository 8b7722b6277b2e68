import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startTestServer, type TestServer } from '../testing/server.ts';

let api: TestServer;
before(async () => {
  api = await startTestServer();
});
after(() => api[Symbol.asyncDispose]());

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

test('HttpHandler: fieldValidation warns of, refuses or ignores unknown and duplicate fields', async () => {
  const body = '{"metadata":{"name":"v"},"dta":{"a":"b"},"data":{"a":"1","a":"2"}}';
  const create = (validation: string) =>
    api.call('POST', `${CONFIG_MAPS}?dryRun=All&fieldValidation=${validation}`, { body });
  const warned = await create('Warn');
  assert.equal(warned.code, 201);
  assert.equal(
    warned.headers['warning'],
    '299 - "unknown field \\"dta\\"", 299 - "duplicate field \\"data.a\\""',
  );
  const strict = await create('Strict');
  assert.equal(strict.code, 400);
  assert.match(strict.json.message, /strict decoding error: unknown field "dta", duplicate field "data\.a"$/);
  const ignored = await create('Ignore');
  assert.deepEqual([ignored.code, ignored.headers['warning'], ignored.json.dta], [201, undefined, undefined]);
});

test('HttpHandler: YAML bodies', async () => {
  const created = await api.call('POST', CONFIG_MAPS, {
    body: 'metadata:\n  name: yaml\ndata:\n  a: b\n',
    headers: { 'content-type': 'application/yaml' },
  });
  assert.deepEqual([created.code, created.json.data], [201, { a: 'b' }]);
});

test('HttpHandler: tables and metadata alone, as the client asks', async () => {
  const get = (accept: string) =>
    api.call('GET', '/api/v1/services?includeObject=Object', { headers: { accept } });
  const table = (await get('application/json;as=Table;v=v1;g=meta.k8s.io,application/json')).json;
  assert.equal(table.kind, 'Table');
  assert.deepEqual(
    table.columnDefinitions.map(
      ({ name, priority }: { name: string; priority: number }) => `${name}${priority > 0 ? '*' : ''}`,
    ),
    ['Name', 'Type', 'Cluster-IP', 'External-IP', 'Port(s)', 'Age', 'Selector*'],
  );
  assert.deepEqual(table.rows[0].cells.slice(0, 5), [
    'kubernetes',
    'ClusterIP',
    '10.96.0.1',
    '<none>',
    '443/TCP',
  ]);
  assert.equal(table.rows[0].object.spec.clusterIP, '10.96.0.1');
  const partial = (await get('application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io')).json;
  assert.equal(partial.items[0].spec, undefined);
  assert.equal((await get('application/vnd.kubernetes.protobuf,application/json')).json.kind, 'ServiceList');
});

test('HttpHandler: a watch sends what was asked for, and ends with its time', async () => {
  const before = (await api.call('GET', CONFIG_MAPS)).json.metadata.resourceVersion;
  const watching = api.call('GET', `${CONFIG_MAPS}?watch=true&resourceVersion=${before}&timeoutSeconds=1`);
  await api.call('POST', CONFIG_MAPS, { body: { metadata: { name: 'watched' } } });
  await api.call('DELETE', `${CONFIG_MAPS}/watched`);
  const events = (await watching).text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    events.map(({ type, object }) => `${type} ${object.metadata.name}`),
    ['ADDED watched', 'DELETED watched'],
  );
});

test('HttpHandler: a watch-list sends the present state, then says so', async () => {
  const { text } = await api.call(
    'GET',
    '/api/v1/namespaces?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1',
  );
  const events = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.equal(events.filter(({ type }) => type === 'ADDED').length, 4);
  assert.deepEqual(events.at(-1).object.metadata.annotations, { 'k8s.io/initial-events-end': 'true' });
});

test('HttpHandler: scale', async () => {
  const labels = { app: 'web' };
  await api.call('POST', '/apis/apps/v1/namespaces/default/deployments', {
    body: {
      metadata: { name: 'web' },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'nginx' }] } },
      },
    },
  });
  const path = '/apis/apps/v1/namespaces/default/deployments/web/scale';
  const { json } = await api.call('GET', path);
  assert.deepEqual([json.spec, json.status], [{ replicas: 1 }, { replicas: 0, selector: 'app=web' }]);
  const scaled = await api.call('PATCH', path, {
    body: { spec: { replicas: 4 } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  assert.equal(scaled.json.spec.replicas, 4);
  assert.equal(
    (await api.call('PUT', path, { body: { ...json, spec: { replicas: 2 } } })).code,
    409,
    'the version is old',
  );
  assert.equal((await api.call('PUT', path, { body: { spec: { replicas: -1 } } })).code, 422);
});

test('HttpHandler: debugging containers are added to a Pod by their subresource alone, and stay', async () => {
  const spec = { containers: [{ name: 'c', image: 'nginx' }] };
  const pods = '/api/v1/namespaces/default/pods';
  assert.equal((await api.call('POST', pods, { body: { metadata: { name: 'debugged' }, spec } })).code, 201);
  const patch = (subresource: string, container: object) =>
    api.call('PATCH', `${pods}/debugged${subresource}`, {
      body: { spec: { ephemeralContainers: [container] } },
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
    });
  const part = '/ephemeralcontainers';
  assert.equal((await patch('', { name: 'd', image: 'busybox' })).code, 422);
  const added = await patch(part, { name: 'd', image: 'busybox' });
  assert.deepEqual([added.code, added.json.spec.ephemeralContainers[0].imagePullPolicy], [200, 'Always']);
  assert.equal((await patch(part, { name: 'e', image: 'busybox' })).json.spec.ephemeralContainers.length, 2);
  const changed = await patch(part, { name: 'd', image: 'other' });
  assert.match(changed.json.message, /existing ephemeral containers "d" may not be changed/);
  const taken = await patch(part, { name: 'c', image: 'busybox' });
  assert.match(taken.json.message, /spec\.ephemeralContainers\[2\]\.name: Duplicate value: "c"/);
  await api.call('DELETE', `${pods}/debugged`, {});
});

test('HttpHandler: events are one thing in two shapes', async () => {
  const created = await api.call('POST', '/apis/events.k8s.io/v1/namespaces/default/events', {
    body: {
      metadata: { name: 'e' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reason: 'R',
      note: 'hello',
      type: 'Normal',
      action: 'a',
      reportingController: 'x',
      reportingInstance: 'y',
      regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
    },
  });
  assert.equal(created.code, 201, created.text);
  const { json } = await api.call(
    'GET',
    '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name=p',
  );
  assert.deepEqual([json.items[0].message, json.items[0].reportingComponent], ['hello', 'x']);
});
