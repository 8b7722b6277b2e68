import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Background } from './support/background.ts';
import { findKubectls, type Kubectl } from './support/kubectls.ts';
import { examplePath, TestLab } from './support/lab.ts';
import { retry } from './support/retry.ts';
import { type Outcome, run } from './support/run.ts';

const found = await findKubectls();

const skip = found.length === 0 && 'there is no kubectl on PATH';

// Two at a time: each waits half of its time, for Pods above all.
suite('kubectl', { skip, concurrency: 2 }, () => {
  const lab = TestLab.ofSuite({ nodes: 2 });
  for (const kubectl of found) commandsOf(kubectl, lab);
});

/** The commands people use, by one kubectl, in a namespace of its own. */
function commandsOf(kubectl: Kubectl, lab: TestLab): void {
  const namespace = `k${kubectl.version.replace('.', '-')}`;
  const minor = Number(kubectl.version.slice(2));
  const env = () => ({ ...lab.account.env, KUBECONFIG: lab.up.kubeconfig });

  const attempt = (args: readonly string[], input?: string): Promise<Outcome> =>
    run(lab.account.command([kubectl.path, '-n', namespace, ...args]), {
      env: env(),
      ...(input !== undefined && { input }),
    });

  async function k(...args: readonly string[]): Promise<string> {
    return ok(await attempt(args), args);
  }

  function ok(outcome: Outcome, args: readonly string[]): string {
    assert.equal(outcome.code, 0, `kubectl ${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`);
    return outcome.stdout;
  }

  const start = (...args: readonly string[]) =>
    new Background(lab.account.command([kubectl.path, '-n', namespace, ...args]), { env: env() });

  suite(`kubectl ${kubectl.version}`, { concurrency: 1 }, () => {
    before(async () => {
      await k('create', 'namespace', namespace);
      await k('apply', '-f', examplePath('my-nginx.yaml'));
      await k('rollout', 'status', 'deployment/my-nginx', '--timeout=60s');
    });
    after(async () => {
      await k('delete', 'namespace', namespace, '--timeout=60s');
    });

    test('get: tables, wide, -A, selectors, yaml, json, jsonpath, name', async () => {
      assert.match(
        await k('get', 'deployments'),
        /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nmy-nginx +2\/2 +2 +2 /,
      );
      assert.match(
        await k('get', 'pods', '-o', 'wide'),
        /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\n/,
      );
      assert.match(
        await k('get', 'svc,endpoints,rs'),
        /service\/my-nginx +ClusterIP +10\.96\.[\d.]+ +<none> +80\/TCP/,
      );
      assert.match(
        await k('get', 'pods', '-A'),
        new RegExp(`^NAMESPACE .*\\n(.*\\n)*${namespace} +my-nginx-`),
      );
      assert.equal((await k('get', 'pods', '-l', 'run=my-nginx', '-o', 'name')).trim().split('\n').length, 2);
      assert.equal(await k('get', 'pods', '-l', 'run!=my-nginx', '-o', 'name'), '');
      assert.match(await k('get', 'deploy', 'my-nginx', '-o', 'yaml'), /\nspec:\n(.*\n)*? {2}replicas: 2\n/);
      const json: unknown = JSON.parse(await k('get', 'service', 'my-nginx', '-o', 'json'));
      assert.partialDeepStrictEqual(json, {
        kind: 'Service',
        spec: { type: 'ClusterIP', ports: [{ port: 80 }] },
      });
      const phases = await k(
        'get',
        'pods',
        '--field-selector=status.phase=Running',
        '-o',
        'jsonpath={.items[*].status.phase}',
      );
      assert.equal(phases, 'Running Running');
      assert.match(await k('get', 'nodes'), /^NAME +STATUS +ROLES +AGE +VERSION\nnode1 +Ready /);
      const missing = await attempt(['get', 'pod', 'nobody']);
      assert.equal(missing.code, 1);
      assert.match(missing.stderr, /Error from server \(NotFound\): pods "nobody" not found/);
    });

    test('get -w: shows changes as they come', async () => {
      await k('create', 'configmap', 'watched', '--from-literal=a=1');
      await using watch = start('get', 'configmaps', '-w', '-o', 'name');
      const shows = (times: number) =>
        retry(() => assert.equal(watch.said.match(/configmap\/watched\n/g)?.length, times));
      // It lists what is there, and watches from that on.
      await shows(1);
      await k('label', 'configmap', 'watched', 'x=y');
      await shows(2);
      await k('delete', 'configmap', 'watched');
      await shows(3);
    });

    test('describe: Pod, Service, Deployment, Node', async () => {
      await retry(async () =>
        assert.match(
          await k('describe', 'pods', '-l', 'run=my-nginx', '--show-events'),
          /Events:\n(.*\n)*.*Started container my-nginx/,
        ),
      );
      await retry(async () =>
        assert.match(
          await k('describe', 'service', 'my-nginx'),
          /Endpoints: +10\.244\.[\d.]+:80,10\.244\.[\d.]+:80/,
        ),
      );
      assert.match(
        await k('describe', 'deployment', 'my-nginx'),
        /Replicas: +2 desired \| 2 updated \| 2 total \| 2 available/,
      );
      const node1 = lab.up.nodes.find(({ name }) => name === 'node1');
      const [, podCidr] = /PodCIDR: +(\S+)/.exec(await k('describe', 'node', 'node1')) ?? [];
      // Nodes get theirs in the order they register in, whichever that is.
      assert.match(podCidr ?? '', /^10\.244\.[0-2]\.0\/24$/);
      assert.equal(podCidr, node1?.podCIDR);
    });

    test('apply: creates, configures, leaves unchanged, removes a field; diff', async () => {
      const manifest = (data: string) =>
        `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: applied }\ndata: ${data}\n`;
      const apply = async (data: string) =>
        ok(await attempt(['apply', '-f', '-'], manifest(data)), ['apply']);
      assert.equal(await apply('{ a: "1", b: "2" }'), 'configmap/applied created\n');
      assert.equal(await apply('{ a: "1", b: "2" }'), 'configmap/applied unchanged\n');
      assert.equal(await apply('{ a: "3" }'), 'configmap/applied configured\n');
      assert.deepEqual(JSON.parse(await k('get', 'cm', 'applied', '-o', 'jsonpath={.data}')), { a: '3' });
      const diff = await attempt(['diff', '-f', '-'], manifest('{ a: "4" }'));
      assert.equal(diff.code, 1, diff.stderr);
      assert.match(diff.stdout, /-\s+a: "3"\n\+\s+a: "4"/);
      const server = await attempt(
        ['apply', '--server-side', '--force-conflicts', '-f', '-'],
        manifest('{ a: "5" }'),
      );
      assert.match(ok(server, ['apply', '--server-side']), /configmap\/applied serverside-applied/);
    });

    test('apply: a Deployment’s own list fields merge by name', async () => {
      await k('create', 'deployment', 'two', '--image=busybox', '--dry-run=client', '-o', 'yaml');
      const manifest = (containers: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: two }
spec:
  replicas: 0
  selector: { matchLabels: { app: two } }
  template:
    metadata: { labels: { app: two } }
    spec: { containers: ${containers} }`;
      const names = () =>
        k('get', 'deployment', 'two', '-o', 'jsonpath={.spec.template.spec.containers[*].name}');
      ok(
        await attempt(
          ['apply', '-f', '-'],
          manifest('[{ name: a, image: busybox }, { name: b, image: busybox }]'),
        ),
        [],
      );
      assert.equal(await names(), 'a b');
      ok(await attempt(['apply', '-f', '-'], manifest('[{ name: b, image: nginx }]')), []);
      assert.equal(await names(), 'b');
    });

    test('create, patch (three kinds), edit, label, annotate, delete', async () => {
      await k('create', 'configmap', 'patched', '--from-literal=a=1');
      await k('patch', 'cm', 'patched', '--type=merge', '-p', '{"data":{"b":"2"}}');
      await k(
        'patch',
        'cm',
        'patched',
        '--type=json',
        '-p',
        '[{"op":"replace","path":"/data/a","value":"9"}]',
      );
      await k('patch', 'cm', 'patched', '-p', '{"data":{"c":"3"}}');
      assert.deepEqual(JSON.parse(await k('get', 'cm', 'patched', '-o', 'jsonpath={.data}')), {
        a: '9',
        b: '2',
        c: '3',
      });
      const edited = await run([kubectl.path, '-n', namespace, 'edit', 'cm', 'patched'], {
        env: { ...env(), KUBE_EDITOR: 'sed -i s/\\"9\\"/\\"10\\"/' },
      });
      assert.equal(edited.code, 0, edited.stderr);
      await k('label', 'cm', 'patched', 'x=y');
      await k('annotate', 'cm', 'patched', 'note=here');
      assert.equal(
        await k(
          'get',
          'cm',
          '-l',
          'x=y',
          '-o',
          'jsonpath={.items[0].data.a}{.items[0].metadata.annotations.note}',
        ),
        '10here',
      );
      assert.equal(
        await k('delete', 'cm', 'patched'),
        'configmap "patched" deleted\n'.replace(
          'deleted\n',
          minor >= 34 ? `deleted from ${namespace} namespace\n` : 'deleted\n',
        ),
      );
    });

    test('scale, rollout: history, restart, undo', async () => {
      await k('create', 'deployment', 'rolled', '--image=nginx:1');
      await k('rollout', 'status', 'deployment/rolled', '--timeout=60s');
      await k('scale', 'deployment', 'rolled', '--replicas=3');
      await k('rollout', 'status', 'deployment/rolled', '--timeout=60s');
      assert.equal(await k('get', 'deploy', 'rolled', '-o', 'jsonpath={.status.readyReplicas}'), '3');
      await k('set', 'image', 'deployment/rolled', 'nginx=nginx:2');
      await k('rollout', 'status', 'deployment/rolled', '--timeout=60s');
      assert.match(await k('rollout', 'history', 'deployment/rolled'), /REVISION +CHANGE-CAUSE\n1 .*\n2 /);
      await k('rollout', 'undo', 'deployment/rolled');
      await k('rollout', 'status', 'deployment/rolled', '--timeout=60s');
      assert.equal(
        await k('get', 'deploy', 'rolled', '-o', 'jsonpath={.spec.template.spec.containers[0].image}'),
        'nginx:1',
      );
      await k('delete', 'deployment', 'rolled', '--timeout=60s');
    });

    test('run, wait, logs, logs -f, exec with input and exit code, delete gracefully', async () => {
      await k(
        'run',
        'talker',
        '--image=busybox',
        '--restart=Never',
        '--',
        'sh',
        '-c',
        'echo one; echo two; exec sleep infinity',
      );
      await k('wait', '--for=condition=Ready', 'pod/talker', '--timeout=60s');
      await retry(async () => assert.equal(await k('logs', 'talker'), 'one\ntwo\n'));
      assert.equal(await k('logs', 'talker', '--tail=1'), 'two\n');
      await using follow = start('logs', '-f', 'talker');
      await retry(() => assert.equal(follow.said, 'one\ntwo\n'));
      assert.equal(
        ok(await attempt(['exec', '-i', 'talker', '--', 'cat'], 'over stdin'), ['exec']),
        'over stdin',
      );
      assert.match(await k('exec', 'talker', '--', 'hostname'), /^talker\n/);
      const failing = await attempt(['exec', 'talker', '--', 'sh', '-c', 'echo wrong >&2; exit 7']);
      assert.equal(failing.code, 7, failing.stderr);
      assert.match(failing.stderr, /^wrong\n/);
      await k('delete', 'pod', 'talker', '--grace-period=1');
      await follow.closed;
      assert.equal(follow.said, 'one\ntwo\n');
      assert.equal((await attempt(['get', 'pod', 'talker'])).code, 1);
    });

    test('exec -it: a terminal with a size', async () => {
      const pod = (
        await k('get', 'pods', '-l', 'run=my-nginx', '-o', 'jsonpath={.items[0].metadata.name}')
      ).trim();
      // The size comes when the command runs already, as with any kubelet; and script(1) types a NUL where its own input ends.
      const inner = `${kubectl.path} -n ${namespace} exec -it ${pod} -- sh -c 'stty -echo; test -t 0 && tty; until stty size | grep -v ^0; do sleep 0.05; done'`;
      const { stdout, stderr } = await run(
        ['script', '-qec', `stty rows 33 cols 99; ${inner}`, '/dev/null'],
        { env: env() },
      );
      assert.match(stdout, /\/dev\/(pts\/\d+|console)\r?\n33 99/, stderr);
    });

    test('debug: a container of its own in a running Pod’s network', {
      skip: minor < 25 && 'kubectl 1.25 is the first to use what became of ephemeral containers',
    }, async () => {
      const target = '-o=jsonpath={.items[0].metadata.name} {.items[0].status.podIP}';
      const [pod = '', ip = ''] = (await k('get', 'pods', '-l', 'run=my-nginx', target)).split(' ');
      await k(
        'debug',
        pod,
        '--image=busybox',
        '-c',
        'debugger',
        '--',
        'sh',
        '-c',
        'ip -4 -br address; hostname',
      );
      await retry(async () =>
        assert.match(await k('logs', pod, '-c', 'debugger'), new RegExp(`${ip}/32(.*\\n)+${pod}\\n`)),
      );
      await k('wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=60s');
    });

    test('port-forward: several connections one after another', async () => {
      await using forward = start('port-forward', 'service/my-nginx', ':80');
      const port = await retry(() => {
        const [, chosen] = /Forwarding from 127\.0\.0\.1:(\d+) -> 80/.exec(forward.said) ?? [];
        assert.ok(chosen !== undefined, forward.said);
        return chosen;
      });
      for (let i = 0; i < 3; i++) {
        const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(20_000) });
        assert.match(await response.text(), /Welcome to nginx/);
      }
    });

    test('expose, and the Service answers', async () => {
      await k(
        'expose',
        'deployment',
        'my-nginx',
        '--name=exposed',
        '--port=8080',
        '--target-port=80',
        '--type=NodePort',
      );
      const ip = await k('get', 'service', 'exposed', '-o', 'jsonpath={.spec.clusterIP}');
      await retry(async () =>
        assert.match(
          await lab.exec('node1', 'curl', '-sS', '-m', '3', `http://${ip}:8080`),
          /Welcome to nginx/,
        ),
      );
    });

    test('explain, api-resources, api-versions, version, cluster-info, events, auth', async () => {
      assert.match(await k('explain', 'service.spec.ports.nodePort'), /FIELD: +nodePort <integer>/);
      assert.match(await k('explain', 'deployment', '--recursive'), /minReadySeconds\s+<integer>/);
      assert.match(await k('api-resources'), /\ndeployments +deploy +apps\/v1 +true +Deployment\n/);
      assert.match(await k('api-versions'), /discovery\.k8s\.io\/v1\n/);
      assert.match(await k('version'), /Server Version/);
      assert.match(await k('get', 'events'), /Started +pod\/my-nginx-/);
      if (minor >= 27) assert.match(await k('events'), /Started +Pod\/my-nginx-/);
    });

    test('auth whoami: the administrator', {
      skip: minor < 26 && 'kubectl 1.26 is the first that asks who one is',
    }, async () => {
      const whoami = [...(minor === 26 ? ['alpha'] : []), 'auth', 'whoami'];
      assert.match(
        await k(...whoami),
        /^ATTRIBUTE +VALUE\nUsername +podway-admin\nGroups +\[system:masters system:authenticated\]\n/,
      );
    });

    test('invalid objects: 422 with field and value', async () => {
      const manifest = `apiVersion: v1\nkind: Service\nmetadata: { name: Bad_Name }\nspec: { ports: [{ port: 70000 }] }\n`;
      const { code, stderr } = await attempt(['create', '-f', '-'], manifest);
      assert.equal(code, 1);
      assert.match(stderr, /The Service "Bad_Name" is invalid/);
      assert.match(stderr, /metadata\.name: Invalid value: "Bad_Name"/);
      assert.match(
        stderr,
        /spec\.ports\[0\]\.port: Invalid value: 70000: must be between 1 and 65535, inclusive/,
      );
    });

    test('unknown fields: refused when validating, let through when not', async () => {
      const manifest = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: odd }\ndatum: { a: b }\n';
      const strict = await attempt(['create', '-f', '-'], manifest);
      assert.equal(strict.code, 1);
      assert.match(strict.stderr, /unknown field "(ConfigMap\.)?datum"|unknown field "datum" in/);
      ok(await attempt(['create', '--validate=false', '-f', '-'], manifest), ['create', '--validate=false']);
    });
  });
}
