import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { CONFIG_MAPS, NODES, PODS, type Pod } from '#kube-api';
import { eventually } from '#runtime';
import { isReady, startTestNode, type TestNode, writeNetworkConfig } from './testing/test-node.ts';

let node: TestNode;
before(async () => {
  node = await startTestNode({ network: false });
});
after(async () => await node[Symbol.asyncDispose]());

const nodeReady = async () => {
  const { status } = await node.client.get(NODES, { name: 'node1' });
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
};

const stateOf = (pod: Pod | undefined, index = 0) => pod?.status?.containerStatuses?.[index]?.state;
const logOf = (name: string, index = 0) => {
  const log = node.kubelet.findPod('default', name)?.containers[index]?.log(false);
  const lines = log === undefined ? [] : readFileSync(log.path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => line.split(' ').slice(3).join(' ')).join('\n');
};
const remove = async (name: string, gracePeriodSeconds = 0) => {
  await node.client.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds });
  await node.waitFor(name, (pod) => pod === undefined);
};
const hasEvent = async (pattern: RegExp) => (await node.events()).some((event) => pattern.test(event));

test('Kubelet: the node is Ready exactly while there is a CNI configuration', async () => {
  await eventually('registered', async () => (await nodeReady().catch(() => undefined)) === 'False');
  writeNetworkConfig(node.cniConfDir);
  await eventually('ready', async () => (await nodeReady()) === 'True');
  rmSync(join(node.cniConfDir, '10-test.conflist'));
  await eventually('not ready', async () => (await nodeReady()) === 'False');
  writeNetworkConfig(node.cniConfDir);
  await eventually('ready again', async () => (await nodeReady()) === 'True');
  const { metadata, status } = await node.client.get(NODES, { name: 'node1' });
  assert.equal(metadata?.labels?.['kubernetes.io/hostname'], 'node1');
  assert.deepEqual(status?.addresses?.[0], { type: 'InternalIP', address: '172.30.0.11' });
});

test('Kubelet: runs a Pod, reports it ready with its address, and deletes it with CNI DEL', async () => {
  await node.createPod('web', { containers: [{ name: 'main', image: 'sleep' }] });
  const pod = await node.waitFor('web', isReady);
  assert.equal(pod?.status?.phase, 'Running');
  assert.match(pod?.status?.podIP ?? '', /^10\.9\.0\.\d+$/);
  assert.match(pod?.status?.containerStatuses?.[0]?.containerID ?? '', /^podway:\/\/[0-9a-f]{64}$/);
  await remove('web', 1);
  const calls = readFileSync(join(node.cniState, 'calls'), 'utf8');
  assert.match(calls, /ADD [0-9a-f]{64} IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;/);
  assert.match(calls, /DEL with prevResult/);
  for (const reason of ['Pulled', 'Created', 'Started', 'Killing'])
    await eventually(reason, () => hasEvent(new RegExp(`^${reason} `)));
  assert.deepEqual(readdirSync('/run/netns'), ['node1']);
  assert.deepEqual(readdirSync('/run/podway/nodes/node1/pods'), []);
});

test('Kubelet: a debugging container starts beside those of a running Pod, in its network, and once only', async () => {
  const created = await node.createPod('debugged', { containers: [{ name: 'main', image: 'sleep' }] });
  const pod = (await node.waitFor('debugged', isReady)) ?? created;
  const debugging = { name: 'debugger', image: 'sh', command: ['sh', '-c', 'ip -br -4 address; exit 3'] };
  await node.client.update(PODS, {
    ...pod,
    spec: { ...pod.spec, containers: pod.spec?.containers ?? [], ephemeralContainers: [debugging] },
  });
  const after = await node.waitFor(
    'debugged',
    (now) => now?.status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined,
  );
  const [status] = after?.status?.ephemeralContainerStatuses ?? [];
  assert.deepEqual([status?.state?.terminated?.exitCode, status?.restartCount], [3, 0]);
  assert.match(logOf('debugged', 1), new RegExp(pod.status?.podIP ?? 'no address'));
  assert.ok(isReady(after));
  await remove('debugged');
});

test('Kubelet: a failing ADD is followed by DEL, and tried again', async () => {
  mkdirSync(node.cniState, { recursive: true });
  writeFileSync(join(node.cniState, 'fail'), '');
  await node.createPod('late', { containers: [{ name: 'main', image: 'sleep' }] });
  await eventually('event', () =>
    hasEvent(/^FailedCreatePodSandBox Failed to create pod sandbox: .*try again later/),
  );
  assert.match(
    readFileSync(join(node.cniState, 'calls'), 'utf8'),
    /ADD .*K8S_POD_NAME=late(.*\n)+DEL .*K8S_POD_NAME=late/,
  );
  rmSync(join(node.cniState, 'fail'));
  await node.waitFor('late', isReady);
  await remove('late');
});

test('Kubelet: init containers in order, a sidecar beside, volumes, names and files of the Pod', async () => {
  await node.client.create(CONFIG_MAPS, {
    metadata: { name: 'cm', namespace: 'default' },
    data: { key: 'value' },
  });
  const volumeMounts = [{ name: 'data', mountPath: '/data' }];
  await node.createPod('full', {
    hostname: 'myname',
    volumes: [
      { name: 'data', emptyDir: {} },
      { name: 'cm', configMap: { name: 'cm' } },
    ],
    initContainers: [
      { name: 'one', image: 'sh', command: ['sh', '-c', 'echo 1 > /data/f'], volumeMounts },
      { name: 'side', image: 'sh', restartPolicy: 'Always', command: ['sleep', '1000'] },
      { name: 'two', image: 'sh', command: ['sh', '-c', 'echo 2 >> /data/f'], volumeMounts },
    ],
    containers: [
      {
        name: 'main',
        image: 'sh',
        command: [
          'sh',
          '-c',
          'cat /data/f; cat /etc/cm/key; echo; hostname; cat /etc/hostname; echo $IP; grep ndots /etc/resolv.conf; touch /etc/mine; exec sleep 1000',
        ],
        volumeMounts: [...volumeMounts, { name: 'cm', mountPath: '/etc/cm' }],
        env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
      },
    ],
  });
  const pod = await node.waitFor('full', isReady);
  await eventually('output', () => logOf('full', 3).includes('ndots'));
  assert.equal(logOf('full', 3), `1\n2\nvalue\nmyname\nmyname\n${pod?.status?.podIP ?? ''}\noptions ndots:5`);
  assert.equal(existsSync('/etc/mine'), false);
  const [one, side] = pod?.status?.initContainerStatuses ?? [];
  assert.equal(one?.state?.terminated?.reason, 'Completed');
  assert.ok(side?.state?.running !== undefined && side.ready);
  await remove('full');
});

test('Kubelet: a container that ends: exit codes, phases and back-off by restart policy', async () => {
  const containers = [
    { name: 'main', image: 'sh', command: ['sh', '-c', 'echo bye > /dev/termination-log; exit 7'] },
  ];
  await node.createPod('always', { containers });
  await node.createPod('never', { containers, restartPolicy: 'Never' });
  await node.createPod('done', {
    containers: [{ name: 'main', image: 'sh', command: ['true'] }],
    restartPolicy: 'OnFailure',
  });
  const always = await node.waitFor('always', (pod) => stateOf(pod)?.waiting?.reason === 'CrashLoopBackOff');
  const status = always?.status?.containerStatuses?.[0];
  assert.equal(status?.restartCount, 1);
  assert.equal(status?.lastState?.terminated?.exitCode, 7);
  assert.equal(status?.lastState?.terminated?.message, 'bye\n');
  assert.equal(always?.status?.phase, 'Running');
  const never = await node.waitFor('never', (pod) => pod?.status?.phase === 'Failed');
  assert.equal(stateOf(never)?.terminated?.exitCode, 7);
  const done = await node.waitFor('done', (pod) => pod?.status?.phase === 'Succeeded');
  assert.equal(done?.status?.conditions?.find(({ type }) => type === 'Ready')?.reason, 'PodCompleted');
  for (const name of ['always', 'never', 'done']) await remove(name);
});

test('Kubelet: what cannot start says why', async () => {
  const pods = {
    unknown: { name: 'main', image: 'example.com/unknown' },
    missing: { name: 'main', image: 'sh', command: ['no-such-program'] },
    config: { name: 'main', image: 'sleep', envFrom: [{ configMapRef: { name: 'none' } }] },
  };
  for (const [name, container] of Object.entries(pods))
    await node.createPod(name, { containers: [container], restartPolicy: 'Never' });
  const unknown = await node.waitFor('unknown', (pod) => stateOf(pod)?.waiting?.reason === 'ErrImagePull');
  assert.match(stateOf(unknown)?.waiting?.message ?? '', /--image example\.com\/unknown=COMMAND/);
  const missing = await node.waitFor('missing', (pod) => stateOf(pod)?.terminated !== undefined);
  assert.equal(stateOf(missing)?.terminated?.reason, 'StartError');
  assert.match(
    stateOf(missing)?.terminated?.message ?? '',
    /exec: "no-such-program": executable file not found in \$PATH/,
  );
  const config = await node.waitFor(
    'config',
    (pod) => stateOf(pod)?.waiting?.reason === 'CreateContainerConfigError',
  );
  assert.equal(stateOf(config)?.waiting?.message, 'configmap "none" not found');
  for (const name of Object.keys(pods)) await remove(name);
});

test('Kubelet: probes: readiness follows, liveness restarts', async () => {
  const exec = (file: string) => ({
    exec: { command: ['test', '-e', file] },
    periodSeconds: 1,
    timeoutSeconds: 60,
    failureThreshold: 1,
  });
  await node.createPod('probed', {
    containers: [
      {
        name: 'main',
        image: 'sh',
        command: ['sh', '-c', 'touch /live; exec sleep 1000'],
        readinessProbe: exec('/ready'),
        livenessProbe: exec('/live'),
      },
    ],
    terminationGracePeriodSeconds: 1,
  });
  await node.waitFor('probed', (pod) => stateOf(pod)?.running !== undefined && !isReady(pod));
  const inside = async (...argv: string[]) => {
    const running = node.kubelet.findPod('default', 'probed')?.containers[0]?.running;
    const result = await running?.exec({ argv, tty: false, stdin: false, onOutput: () => {} }).exited;
    assert.equal(result?.exitCode, 0);
  };
  await inside('touch', '/ready');
  await node.waitFor('probed', isReady);
  await inside('rm', '/ready');
  await node.waitFor('probed', (pod) => !isReady(pod));
  await inside('rm', '/live');
  await node.waitFor('probed', (pod) => pod?.status?.containerStatuses?.[0]?.restartCount === 1);
  await eventually('event', () => hasEvent(/^Unhealthy Liveness probe failed/));
  await remove('probed');
});

test('Kubelet: deletion runs preStop, then SIGTERM; the Pod still serves until it ends', async () => {
  await node.createPod('graceful', {
    containers: [
      {
        name: 'main',
        image: 'sh',
        command: ['sh', '-c', 'trap "echo term; exit 0" TERM; while :; do sleep 0.05; done'],
        lifecycle: {
          preStop: {
            exec: {
              command: ['sh', '-c', 'echo stopping > /proc/1/fd/1; until [ -e /stop ]; do sleep 0.05; done'],
            },
          },
        },
      },
    ],
  });
  await node.waitFor('graceful', isReady);
  const container = node.kubelet.findPod('default', 'graceful')?.containers[0];
  const log = container?.log(false);
  let text = '';
  using _lines = log?.onLines((lines) => {
    text += lines ?? '';
  });
  await node.client.delete(PODS, { namespace: 'default', name: 'graceful' }, { gracePeriodSeconds: 60 });
  await eventually('preStop', () => text.includes('stopping'));
  const ending = await node.waitFor('graceful', (pod) => pod?.metadata?.deletionTimestamp !== undefined);
  assert.ok(isReady(ending));
  const stop = ['touch', '/stop'];
  container?.running?.exec({ argv: stop, tty: false, stdin: false, onOutput: () => {} });
  await node.waitFor('graceful', (pod) => pod === undefined);
  assert.match(text, /stopping\n[^\n]* term\n/);
});

test('Kubelet: hostNetwork Pods have the node’s addresses and no CNI', async () => {
  const before = readFileSync(join(node.cniState, 'calls'), 'utf8');
  await node.createPod('host', { hostNetwork: true, containers: [{ name: 'main', image: 'sleep' }] });
  const pod = await node.waitFor('host', isReady);
  assert.equal(pod?.status?.podIP, '172.30.0.11');
  await remove('host');
  const added = readFileSync(join(node.cniState, 'calls'), 'utf8').slice(before.length);
  assert.doesNotMatch(added, /ADD/);
});

test('Kubelet: a container beyond its memory limit ends as OOMKilled, commands run in it too', async (t) => {
  const { obstacle, directories } = node.cgroups;
  if (obstacle !== undefined) return t.skip(obstacle);
  const resources = { limits: { memory: '24Mi', cpu: '500m' } };
  const grow = ['sh', '-c', 'x=$(head -c 67108864 /dev/zero | tr "\\0" x); echo not reached'];
  await node.createPod('hungry', {
    restartPolicy: 'Never',
    containers: [
      { name: 'main', image: 'sh', command: ['sh', '-c', `exec ${grow[0]} -c '${grow[2]}'`], resources },
    ],
  });
  const hungry = await node.waitFor('hungry', (pod) => stateOf(pod)?.terminated !== undefined);
  assert.equal(stateOf(hungry)?.terminated?.reason, 'OOMKilled');
  assert.equal(stateOf(hungry)?.terminated?.exitCode, 137);
  await node.createPod('modest', {
    containers: [{ name: 'main', image: 'sh', command: ['sleep', '1000'], resources }],
  });
  await node.waitFor('modest', isReady);
  const running = node.kubelet.findPod('default', 'modest')?.containers[0]?.running;
  const result = await running?.exec({ argv: grow, tty: false, stdin: false, onOutput: () => {} }).exited;
  assert.equal(result?.exitCode, 137);
  for (const name of ['hungry', 'modest']) await remove(name);
  const groups = () =>
    directories.flatMap((directory) =>
      readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory()),
    );
  await eventually('no group is left', () => groups().length === 0);
});

test('Kubelet: volumes follow the objects they show, and wait for those that are missing', async () => {
  const inNamespace = { namespace: 'default' };
  const items = [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }];
  await node.createPod('volumes', {
    volumes: [
      { name: 'cm', configMap: { name: 'late' } },
      { name: 'info', downwardAPI: { items } },
    ],
    containers: [
      {
        name: 'main',
        image: 'sleep',
        volumeMounts: [
          { name: 'cm', mountPath: '/etc/cm' },
          { name: 'info', mountPath: '/etc/info' },
        ],
      },
    ],
  });
  await eventually('event', () =>
    hasEvent(/^FailedMount MountVolume.SetUp failed: configmap "late" not found/),
  );
  await node.client.create(CONFIG_MAPS, { metadata: { name: 'late', ...inNamespace }, data: { key: 'one' } });
  await node.waitFor('volumes', isReady);
  const read = async (path: string) => {
    const running = node.kubelet.findPod('default', 'volumes')?.containers[0]?.running;
    let output = '';
    await running?.exec({
      argv: ['cat', path],
      tty: false,
      stdin: false,
      onOutput: (_, chunk) => {
        output += String(chunk);
      },
    }).exited;
    return output;
  };
  assert.equal(await read('/etc/cm/key'), 'one');
  await node.client.patch(CONFIG_MAPS, { name: 'late', ...inNamespace }, 'merge', { data: { key: 'two' } });
  // A changed label is seen at once, and brings everything up to date.
  const metadata = { labels: { colour: 'blue' } };
  await node.client.patch(PODS, { name: 'volumes', ...inNamespace }, 'merge', { metadata });
  await eventually('labels', async () => (await read('/etc/info/labels')) === 'colour="blue"');
  assert.equal(await read('/etc/cm/key'), 'two');
  await remove('volumes');
});

test('Kubelet: an emptyDir holds no more than its limit', async () => {
  await node.createPod('small', {
    restartPolicy: 'Never',
    volumes: [{ name: 'data', emptyDir: { sizeLimit: '1Mi' } }],
    containers: [
      {
        name: 'main',
        image: 'sh',
        command: ['sh', '-c', 'head -c 2097152 /dev/zero > /data/f; stat -c %s /data/f'],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
  });
  await node.waitFor('small', (pod) => stateOf(pod)?.terminated !== undefined);
  assert.match(logOf('small'), /No space left on device\n1048576/);
  await remove('small');
  await eventually('unmounted', () => !readFileSync('/proc/self/mountinfo', 'utf8').includes('emptydir'));
});

test('Kubelet: a Pod past its active deadline fails and ends', async () => {
  await node.createPod('limited', {
    activeDeadlineSeconds: 3,
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'main', image: 'sleep' }],
  });
  const pod = await node.waitFor(
    'limited',
    (found) => found?.status?.phase === 'Failed' && stateOf(found)?.running === undefined,
  );
  assert.equal(pod?.status?.reason, 'DeadlineExceeded');
  await remove('limited');
});

test('Kubelet: runAsUser and runAsGroup, for the program and for commands run beside it', async (t) => {
  if (readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/)[2] === '1')
    return t.skip('one user alone is mapped here');
  await node.createPod('user', {
    securityContext: { runAsUser: 1234, runAsGroup: 4321 },
    containers: [{ name: 'main', image: 'sh', command: ['sh', '-c', 'id -u; id -g; exec sleep 1000'] }],
  });
  await node.waitFor('user', isReady);
  await eventually('output', () => logOf('user') === '1234\n4321');
  let output = '';
  const running = node.kubelet.findPod('default', 'user')?.containers[0]?.running;
  const { exited } = running?.exec({
    argv: ['id', '-u'],
    tty: false,
    stdin: false,
    onOutput: (_, chunk) => {
      output += String(chunk);
    },
  }) ?? { exited: undefined };
  assert.equal((await exited)?.exitCode, 0);
  assert.equal(output, '1234\n');
  await remove('user');
});
