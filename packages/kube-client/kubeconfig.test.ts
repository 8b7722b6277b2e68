import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadInClusterConfig } from './in-cluster.ts';
import { loadKubeconfig } from './kubeconfig.ts';

async function directoryWith(files: Readonly<Record<string, string>>) {
  const path = await mkdtemp(join(tmpdir(), 'podway-kube-client-'));
  for (const [name, content] of Object.entries(files)) await writeFile(join(path, name), content);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

const KUBECONFIG = `
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: data, user: certificate, namespace: web}}
- {name: two, context: {cluster: files, user: token}}
- {name: three, context: {cluster: files, user: tokenFile}}
- {name: four, context: {cluster: files, user: basic}}
- {name: five, context: {cluster: files, user: exec}}
- {name: six, context: {cluster: files, user: nobody}}
- {name: seven, context: {cluster: files}}
clusters:
- name: data
  cluster: {server: "https://[::1]:6443", certificate-authority-data: ${base64('CA DATA')}, certificate-authority: ignored}
- name: files
  cluster: {server: "https://api:6443", certificate-authority: ca.pem, tls-server-name: kubernetes, insecure-skip-tls-verify: true}
users:
- {name: certificate, user: {client-certificate: cert.pem, client-key-data: ${base64('KEY DATA')}}}
- {name: token, user: {token: secret}}
- {name: tokenFile, user: {tokenFile: sub/token}}
- {name: basic, user: {username: me, password: pass}}
- {name: exec, user: {exec: {command: helper}}}
`;

const load = async (path: string, context?: string) =>
  loadKubeconfig({ paths: [join(path, 'config')], ...(context === undefined ? {} : { context }) });

test('loadKubeconfig: data and files, of the context that is current', async () => {
  await using directory = await directoryWith({
    config: KUBECONFIG,
    'cert.pem': 'CERT FILE',
    'ca.pem': 'CA FILE',
  });
  assert.deepEqual(await load(directory.path), {
    server: 'https://[::1]:6443',
    certificateAuthority: 'CA DATA',
    credentials: { certificate: 'CERT FILE', key: 'KEY DATA' },
    namespace: 'web',
  });
  assert.deepEqual(await load(directory.path, 'two'), {
    server: 'https://api:6443',
    certificateAuthority: 'CA FILE',
    insecure: true,
    tlsServerName: 'kubernetes',
    credentials: { token: 'secret' },
    namespace: 'default',
  });
});

test('loadKubeconfig: every kind of credentials', async () => {
  await using directory = await directoryWith({ config: KUBECONFIG, 'ca.pem': 'CA' });
  const credentials = async (context: string) => (await load(directory.path, context)).credentials;
  assert.deepEqual(await credentials('three'), { tokenFile: join(directory.path, 'sub/token') });
  assert.deepEqual(await credentials('four'), { username: 'me', password: 'pass' });
  assert.deepEqual(await credentials('seven'), {});
});

test('loadKubeconfig: what is wrong is named', async () => {
  await using directory = await directoryWith({
    config: KUBECONFIG,
    'ca.pem': 'CA',
    bad: 'a: [',
    list: '[]',
  });
  const at = (name: string) => loadKubeconfig({ paths: [join(directory.path, name)] });
  await assert.rejects(
    load(directory.path, 'none'),
    /contexts: invalid value "none": no context of this name/,
  );
  await assert.rejects(load(directory.path, 'five'), /users\[exec\]\.exec.*not supported/);
  await assert.rejects(load(directory.path, 'six'), /users: invalid value "nobody"/);
  await assert.rejects(load(directory.path), /users\[certificate\]\.client-certificate.*cannot be read/);
  await assert.rejects(at('missing'), /kubeconfig: invalid value ".*missing": cannot be read/);
  await assert.rejects(at('bad'), /neither YAML nor JSON/);
  await assert.rejects(at('list'), /is not a kubeconfig/);
});

test('loadKubeconfig: of several files the first that defines a name counts', async () => {
  const context = (server: string) =>
    JSON.stringify({
      'current-context': 'c',
      contexts: [{ name: 'c', context: { cluster: 'k' } }],
      clusters: [{ name: 'k', cluster: { server } }],
    });
  await using directory = await directoryWith({
    empty: '{}',
    first: context('https://first'),
    second: context('https://second'),
  });
  const paths = ['empty', 'first', 'second'].map((name) => join(directory.path, name));
  assert.equal((await loadKubeconfig({ paths })).server, 'https://first');
});

test('loadInClusterConfig: reads the service account', async () => {
  await using directory = await directoryWith({ token: 'T', 'ca.crt': 'CA', namespace: 'web\n' });
  const environment = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  assert.deepEqual(await loadInClusterConfig(environment, directory.path), {
    server: 'https://[fd00::1]:443',
    certificateAuthority: 'CA',
    credentials: { tokenFile: join(directory.path, 'token') },
    namespace: 'web',
  });
  await assert.rejects(loadInClusterConfig({}, directory.path), /KUBERNETES_SERVICE_HOST.*not inside a Pod/);
});
