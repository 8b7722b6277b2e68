import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { testAdmin, testTls } from '../testing/pki.ts';
import { temporaryDirectory } from '../testing/registry.ts';
import { startTestServer, type TestServer } from '../testing/server.ts';
import { MAX_BODY } from './request.ts';

let api: TestServer;
before(async () => {
  api = await startTestServer();
});
after(() => api[Symbol.asyncDispose]());

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';

test('HttpHandler: only holders of a certificate or a token come in', async () => {
  const refused = await api.callAnonymously('GET', '/api/v1/pods');
  assert.deepEqual([refused.code, refused.json.reason], [401, 'Unauthorized']);
  assert.equal((await api.callAnonymously('GET', '/readyz')).text, 'ok');
  const token = await api.call('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {
    body: {},
  });
  assert.equal(token.code, 201);
  const bearer = (value: string) =>
    api.callAnonymously('GET', '/api/v1/pods', { authorization: `Bearer ${value}` });
  assert.equal((await bearer(token.json.status.token)).code, 200);
  for (const forged of [`${token.json.status.token}x`, 'a.b.c', 'x', ''])
    assert.equal((await bearer(forged)).code, 401, forged);
});

test('HttpHandler: a path that is not served has details, without which kubectl debug dies', async () => {
  const { json } = await api.call('PATCH', '/api/v1/namespaces/default/pods/p/nosuch', {
    body: {},
  });
  assert.deepEqual([json.reason, json.details], ['NotFound', {}]);
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

test('HttpHandler: bad requests are answered with a Status', async () => {
  const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'nginx' }] } };
  const cases: readonly (readonly [string, string, Parameters<TestServer['call']>[2], number, string])[] = [
    ['GET', '/api/v1/nothing', {}, 404, 'NotFound'],
    ['GET', '/api/v1/namespaces/default/pods/%E0%A4%A', {}, 404, 'NotFound'],
    ['GET', '/api/v1/namespaces/default/pods/p/what', {}, 404, 'NotFound'],
    ['POST', '/api/v1/pods', { body: pod }, 405, 'MethodNotAllowed'],
    ['DELETE', '/version', {}, 405, 'MethodNotAllowed'],
    ['POST', '/apis/rbac.authorization.k8s.io/v1/clusterroles', { body: '{' }, 404, 'NotFound'],
    ['POST', CONFIG_MAPS, { body: '{' }, 400, 'BadRequest'],
    ['POST', CONFIG_MAPS, { body: 'null' }, 400, 'BadRequest'],
    ['POST', CONFIG_MAPS, { body: '[]' }, 400, 'BadRequest'],
    [
      'POST',
      CONFIG_MAPS,
      { body: 'a', headers: { 'content-type': 'text/plain' } },
      415,
      'UnsupportedMediaType',
    ],
    [
      'POST',
      CONFIG_MAPS,
      { body: 'a: [', headers: { 'content-type': 'application/yaml' } },
      400,
      'BadRequest',
    ],
    [
      'POST',
      CONFIG_MAPS,
      { body: 'xyz', headers: { 'content-type': 'application/vnd.kubernetes.protobuf' } },
      400,
      'BadRequest',
    ],
    ['POST', CONFIG_MAPS, { body: 'x'.repeat(MAX_BODY + 1) }, 413, 'RequestEntityTooLarge'],
    ['POST', CONFIG_MAPS, { body: { kind: 'Pod', metadata: { name: 'x' } } }, 400, 'BadRequest'],
    ['POST', CONFIG_MAPS, { body: { metadata: { name: 'x', namespace: 'other' } } }, 400, 'BadRequest'],
    ['POST', CONFIG_MAPS, { body: {} }, 422, 'Invalid'],
    ['POST', CONFIG_MAPS, { body: { metadata: { name: 'x', resourceVersion: '5' } } }, 400, 'BadRequest'],
    ['POST', CONFIG_MAPS, { body: { metadata: { name: 'x' }, data: { a: 1 } } }, 400, 'BadRequest'],
    ['GET', `${CONFIG_MAPS}?labelSelector=a+in+b`, {}, 400, 'BadRequest'],
    ['GET', `${CONFIG_MAPS}?fieldSelector=spec.x=y`, {}, 400, 'BadRequest'],
    ['GET', `${CONFIG_MAPS}?limit=-1`, {}, 400, 'BadRequest'],
    ['GET', `${CONFIG_MAPS}?continue=zzz`, {}, 400, 'BadRequest'],
    ['GET', `${CONFIG_MAPS}?resourceVersion=abc`, {}, 400, 'BadRequest'],
    [
      'PATCH',
      `${CONFIG_MAPS}/x`,
      { body: {}, headers: { 'content-type': 'application/json' } },
      415,
      'UnsupportedMediaType',
    ],
    [
      'PATCH',
      `${CONFIG_MAPS}/x`,
      { body: {}, headers: { 'content-type': 'application/merge-patch+json' } },
      404,
      'NotFound',
    ],
  ];
  for (const [method, path, options, code, reason] of cases) {
    const { json, ...answer } = await api.call(method, path, options);
    const what = `${method} ${path} ${JSON.stringify(options).slice(0, 60)}`;
    assert.equal(answer.code, code, what);
    assert.deepEqual(
      [json.kind, json.status, json.reason, json.code],
      ['Status', 'Failure', reason, code],
      what,
    );
  }
});

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

test('HttpHandler: discovery, plain and aggregated, and OpenAPI', async () => {
  const plain = (await api.call('GET', '/apis')).json;
  assert.deepEqual(
    plain.groups.map(({ name }: { name: string }) => name),
    ['apps', 'coordination.k8s.io', 'discovery.k8s.io', 'events.k8s.io'],
  );
  const aggregated = await api.call('GET', '/api', {
    headers: {
      accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
    },
  });
  assert.equal(aggregated.json.items[0].versions[0].resources.length, 9);
  const v2 = (await api.call('GET', '/openapi/v2')).json;
  const containers = v2.definitions['io.k8s.api.core.v1.PodSpec'].properties.containers;
  assert.equal(containers['x-kubernetes-patch-merge-key'], 'name');
  const index = (await api.call('GET', '/openapi/v3')).json;
  const v3 = await api.call('GET', index.paths['apis/apps/v1'].serverRelativeURL);
  assert.ok(v3.json.components.schemas['io.k8s.api.apps.v1.Deployment']['x-kubernetes-group-version-kind']);
});

test('HttpHandler: logs and upgrades go to the kubelet, byte for byte', async () => {
  using directory = temporaryDirectory();
  const kubeletSocket = join(directory.path, 'kubelet.sock');
  const kubelet = createServer((request, response) => response.end(`asked ${request.url}`));
  kubelet.on('upgrade', (request, socket) => {
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Path: ${request.url}\r\n\r\n`,
    );
    socket.on('data', (data: Buffer) => socket.end(`echo ${data}`));
  });
  await new Promise<void>((resolve) => kubelet.listen(kubeletSocket, resolve));
  await using other = await startTestServer({ kubeletSocket });
  const pods = '/api/v1/namespaces/default/pods';
  await other.call('POST', pods, {
    body: { metadata: { name: 'p' }, spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'x' }] } },
  });
  assert.equal(
    (await other.call('GET', `${pods}/p/log?follow=true&container=c`)).text,
    'asked /containerLogs/default/p/c?follow=true',
  );
  assert.equal(
    (await other.call('GET', `${pods}/p/log?container=no`)).json.message,
    'container no is not valid for pod p',
  );
  const answer = await new Promise<string>((resolve, reject) => {
    let text = '';
    const socket = connect(
      {
        host: '127.0.0.1',
        port: other.port,
        ca: testTls.clientAuthority,
        cert: testAdmin.certificate,
        key: testAdmin.key,
      },
      () =>
        socket.write(
          `POST ${pods}/p/exec?command=ls&command=-l&stdin=true&stdout=true HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n`,
        ),
    );
    let sent = false;
    socket.on('data', (data: Buffer) => {
      text += data.toString();
      if (sent || !text.includes('\r\n\r\n')) return;
      sent = true;
      socket.write('ping');
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.match(answer, /X-Path: \/exec\/default\/p\/c\?input=1&output=1&command=ls&command=-l\r\n/);
  assert.match(answer, /echo ping$/);
  kubelet.close();
  kubelet.closeAllConnections();
});

test('HttpHandler: a resumed TLS session proves nothing of a client without a certificate', async () => {
  const ask = (credentials: object, session?: Buffer) =>
    new Promise<{ readonly answer: string; readonly session: Buffer | undefined; readonly resumed: boolean }>(
      (resolve, reject) => {
        let answer = '';
        let ticket: Buffer | undefined;
        const socket = connect({
          host: '127.0.0.1',
          port: api.port,
          ca: testTls.clientAuthority,
          ...credentials,
          ...(session !== undefined && { session }),
        });
        socket.on('session', (received) => {
          ticket = received;
        });
        socket.on('error', reject);
        socket.on('data', (data: Buffer) => {
          answer += data.toString();
        });
        socket.on('end', () => resolve({ answer, session: ticket, resumed: socket.isSessionReused() }));
        socket.write('GET /api/v1/nodes HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      },
    );
  const first = await ask({});
  const second = await ask({}, first.session);
  assert.equal(second.resumed, true);
  assert.match(second.answer, /^HTTP\/1\.1 401 /);
  const admin = { cert: testAdmin.certificate, key: testAdmin.key };
  const known = await ask(admin);
  const again = await ask(admin, known.session);
  assert.equal(again.resumed, true);
  assert.match(again.answer, /^HTTP\/1\.1 200 /);
});

test('access reviews: everyone who is known may do everything', async () => {
  await using server = await startTestServer();
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
  const spec = { resourceAttributes: { verb: 'delete', resource: 'pods' } };
  const { code, json } = await server.call('POST', path, { body: { kind: 'SelfSubjectAccessReview', spec } });
  assert.equal(code, 201);
  assert.equal(json.status.allowed, true);
  assert.deepEqual(json.spec, spec);
  assert.equal((await server.call('GET', path)).code, 405);
  assert.equal((await server.callAnonymously('POST', path)).code, 401);
});
