import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { testKubeconfig } from '../testing/kubeconfig.ts';
import { temporaryDirectory } from '../testing/registry.ts';
import { startTestServer } from '../testing/server.ts';

/** Every kubectl of the machine: on the path, beside what that links to under a versioned name, or named by PODWAY_TEST_KUBECTL. */
function findKubectls(): readonly string[] {
  const words = (name: string) => (process.env[name] ?? '').split(delimiter).filter((word) => word !== '');
  const onPath = words('PATH')
    .map((directory) => join(directory, 'kubectl'))
    .filter((path) => existsSync(path));
  const installed = [...words('PODWAY_TEST_KUBECTL'), ...onPath].map((path) => realpathSync(path));
  const versioned = installed.flatMap((path) => globSync(`${path}.1.[0-9]*`));
  return [...new Set([...installed, ...versioned])];
}

const kubectls = findKubectls();
const examples = join(import.meta.dirname, '../../../examples');

test('startApiServer: a kubectl is there to try it with', {
  skip: kubectls.length === 0 && 'no kubectl on this machine',
}, () => {
  assert.ok(kubectls.length > 0);
});

for (const kubectl of kubectls)
  test(`startApiServer: ${kubectl} applies, reads, changes and explains`, async () => {
    await using api = await startTestServer();
    using directory = temporaryDirectory();
    const kubeconfig = join(directory.path, 'kubeconfig');
    writeFileSync(kubeconfig, testKubeconfig(`https://127.0.0.1:${api.port}`));
    mkdirSync(join(directory.path, 'home'));
    const env = { PATH: process.env['PATH'], HOME: join(directory.path, 'home'), KUBECONFIG: kubeconfig };
    const run = (...args: readonly string[]) =>
      new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
        execFile(kubectl, args, { env, timeout: 60_000 }, (error, out, err) =>
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
        );
      });
    const succeed = async (...args: readonly string[]) => {
      const { code, out, err } = await run(...args);
      assert.equal(code, 0, `kubectl ${args.join(' ')}: ${err}`);
      return out;
    };

    const applied = await succeed('apply', '-f', examples);
    assert.match(applied, /deployment\.apps\/my-nginx created\n/);
    const again = await succeed('apply', '-f', examples);
    assert.ok(
      again
        .trim()
        .split('\n')
        .every((line) => line.endsWith(' unchanged')),
      again,
    );
    assert.equal(await succeed('auth', 'can-i', 'delete', 'pods'), 'yes\n');
    assert.match(await succeed('auth', 'can-i', '--list'), /\*\.\*/);
    assert.match(
      await succeed('get', 'deployments', '-o', 'wide'),
      /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE +CONTAINERS +IMAGES +SELECTOR\n/,
    );
    assert.match(
      await succeed('get', 'svc', 'kubernetes'),
      /kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP/,
    );
    assert.equal(
      await succeed(
        'get',
        'svc',
        '-l',
        'run=my-nginx',
        '-o',
        'jsonpath={.items[*].spec.ports[*].targetPort}',
      ),
      '80',
    );
    await succeed('scale', 'deployment/my-nginx', '--replicas=4');
    await succeed(
      'patch',
      'deployment',
      'my-nginx',
      '-p',
      '{"spec":{"template":{"spec":{"containers":[{"name":"my-nginx","env":[{"name":"A","value":"b"}]}]}}}}',
    );
    assert.equal(
      await succeed(
        'get',
        'deployment',
        'my-nginx',
        '-o',
        'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value}',
      ),
      '4 nginx b',
    );
    await succeed('create', 'configmap', 'c', '--from-literal=a=b');
    await succeed('create', 'deployment', 'web', '--image=nginx');
    await succeed('expose', 'deployment', 'web', '--port=80', '--type=NodePort');
    await succeed('run', 'shell', '--image=busybox', '--restart=Never', '--', 'sleep', '1');
    await succeed('label', 'pod', 'shell', 'a=b');
    await succeed('delete', 'pod', 'shell');
    await succeed('create', 'namespace', 'other');
    assert.match(await succeed('describe', 'svc', 'web'), /NodePort: +<unset> +3\d{4}\/TCP/);
    assert.match(
      await succeed('explain', 'pod.spec.containers.ports.containerPort'),
      /Number of port to expose/,
    );
    assert.match(
      await succeed('api-resources'),
      /endpointslices +discovery\.k8s\.io\/v1 +true +EndpointSlice/,
    );
    await succeed(
      'apply',
      '--server-side',
      '-f',
      join(examples, 'dual-stack-preferred-svc.yaml'),
      '--force-conflicts',
    );

    const manifest = (name: string, content: object) => {
      const path = join(directory.path, name);
      writeFileSync(path, JSON.stringify(content));
      return path;
    };
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'bad' },
      spec: { ports: [{ port: 99_999, targetPort: 80 }] },
    };
    const invalid = await run('apply', '-f', manifest('invalid.json', service));
    assert.match(
      invalid.err,
      /The Service "bad" is invalid: spec\.ports\[0\]\.port: Invalid value: 99999: must be between 1 and 65535, inclusive/,
    );
    const unknown = await run('apply', '-f', manifest('unknown.json', { ...service, spec: { prots: [] } }));
    assert.match(unknown.err, /unknown field "(spec\.)?prots"/);
    assert.notEqual(unknown.code, 0);
    assert.match(
      (await run('get', 'pod', 'no')).err,
      /^Error from server \(NotFound\): pods "no" not found\n$/,
    );
    await succeed('delete', '-f', examples);
    assert.equal(await succeed('get', 'deployments', '-o', 'name'), 'deployment.apps/web\n');
  });
