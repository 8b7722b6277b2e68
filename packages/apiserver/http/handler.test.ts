import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { testAdmin, testTls } from '../testing/pki.ts';
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

test('HttpHandler: discovery, plain and aggregated, and OpenAPI', async () => {
  const plain = (await api.call('GET', '/apis')).json;
  assert.deepEqual(
    plain.groups.map(({ name }: { name: string }) => name),
    [
      ...['apps', 'coordination.k8s.io', 'discovery.k8s.io', 'events.k8s.io'],
      ...['authentication.k8s.io', 'authorization.k8s.io'],
    ],
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

test('HttpHandler: a resumed TLS session proves what the first one did: nothing of a client without a certificate', async () => {
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
        const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
        const headers = 'Host: x\r\nConnection: close\r\nContent-Length: 2';
        socket.write(`POST ${path} HTTP/1.1\r\n${headers}\r\n\r\n{}`);
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
  assert.match(again.answer, /^HTTP\/1\.1 201 .*"username":"podway-admin"/s);
});

test('self subject reviews: who holds the certificate, whose the token is', async () => {
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
  const whoami = (options: object) => api.call('POST', path, { body: {}, ...options });
  const { code, json } = await whoami({});
  assert.equal(code, 201);
  assert.deepEqual(json, {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: {},
    status: { userInfo: { username: 'podway-admin', groups: ['system:masters', 'system:authenticated'] } },
  });
  const account = '/api/v1/namespaces/default/serviceaccounts/default';
  const { token } = (await api.call('POST', `${account}/token`, { body: {} })).json.status;
  const answer = await api.callAnonymously('POST', path, { authorization: `Bearer ${token}` }, '{}');
  assert.deepEqual(answer.json.status.userInfo, {
    username: 'system:serviceaccount:default:default',
    uid: (await api.call('GET', account)).json.metadata.uid,
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
  });
  for (const version of ['v1beta1', 'v1alpha1']) {
    const former = await api.call('POST', path.replace('v1', version), { body: {} });
    assert.equal(former.json.apiVersion, `authentication.k8s.io/${version}`);
    assert.deepEqual(former.json.status, json.status);
  }
  assert.equal((await api.callAnonymously('POST', path)).code, 401);
});

test('reviews: discovery and OpenAPI tell that they can be created, and no more', async () => {
  const group = '/apis/authentication.k8s.io/v1';
  const [plain] = (await api.call('GET', group)).json.resources;
  assert.deepEqual([plain.name, plain.namespaced, plain.verbs], ['selfsubjectreviews', false, ['create']]);
  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
  const { items } = (await api.call('GET', '/apis', { headers: { accept } })).json;
  const found = items.find(({ metadata }: { metadata: { name: string } }) => group.includes(metadata.name));
  const [{ resources }] = found.versions;
  assert.deepEqual([resources[0].resource, resources[0].verbs], ['selfsubjectreviews', ['create']]);
  const { components, paths } = (await api.call('GET', `/openapi/v3${group}`)).json;
  assert.ok(components.schemas['io.k8s.api.authentication.v1.SelfSubjectReview'].properties.status);
  assert.deepEqual(
    Object.entries(paths).map(([path, operations]) => [path, Object.keys(operations as object)]),
    [[`${group}/selfsubjectreviews`, ['post']]],
  );
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
