import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, suite, test } from 'node:test';
import { hostInUrl } from '#ip';
import { Containerd, IMAGE } from '../containerd/containerd.ts';
import { CriError, type SandboxConfig } from '../containerd/cri-client.ts';
import { InventoryTaker } from '../containerd/inventory-taker.ts';
import type { NodeInventory } from '../containerd/node-inventory.ts';
import { whyNoContainerd } from '../containerd/requirements.ts';
import { TestLab } from './support/lab.ts';
import { AGENT, killProcess, pidOf, SUPERVISOR } from './support/lab-processes.ts';
import { retry } from './support/retry.ts';

const NODE = 'node1';
const NODE_IP = '172.30.0.11';
const WEB_SERVER = ['/bin/httpd', '-f', '-p', '80', '-h', '/www'];
/** An agent's CNI side alone. */
const CNI_NODE = join(import.meta.dirname, '../../packages/cni/fixture-process.ts');
const PARALLEL = 30;

interface Pod {
  /** Of the sandbox; CNI's container id. */
  readonly id: string;
  readonly config: SandboxConfig;
  readonly ip: string;
}

suite('containerd with Podway as its CNI plugin', { skip: whyNoContainerd() ?? false }, () => {
  const lab = TestLab.ofSuite({ nodes: 1 });
  let containerd: Containerd;
  let taker: InventoryTaker;
  let untouched: NodeInventory;
  /** Those that run. */
  const pods = new Set<Pod>();

  before(async () => {
    containerd = new Containerd(lab, NODE);
    await containerd.install();
    taker = await InventoryTaker.start(lab, NODE);
    untouched = await inventory();
  });
  afterEach(async () => {
    await Promise.all([...pods].map(endPod));
    // A shim ends after its sandbox is gone.
    await retry(async () => assert.deepEqual(await inventory(), untouched));
  });
  after(async () => {
    await containerd?.[Symbol.asyncDispose]();
  });

  function sandboxConfig(name: string, more: Partial<SandboxConfig> = {}): SandboxConfig {
    return {
      metadata: { name, namespace: 'default', uid: `uid-${name}` },
      hostname: name,
      linux: { cgroupParent: containerd.cgroupParent },
      ...more,
    };
  }

  async function startPod(name: string, more: Partial<SandboxConfig> = {}): Promise<Pod> {
    const config = sandboxConfig(name, more);
    const id = await containerd.client.runPodSandbox(config);
    const { network } = await containerd.client.podSandboxStatus(id);
    const pod = { id, config, ip: network.ip };
    pods.add(pod);
    return pod;
  }

  async function endPod(pod: Pod): Promise<void> {
    pods.delete(pod);
    await containerd.client.stopPodSandbox(pod.id);
    await containerd.client.removePodSandbox(pod.id);
  }

  /** Starts a container in the Pod. @returns what runs commands in it, giving their standard output */
  async function startContainer(pod: Pod, command: readonly string[]) {
    const container = { metadata: { name: 'main' }, image: { image: IMAGE }, command };
    const id = await containerd.client.runContainer(pod.id, pod.config, container);
    return async (...words: readonly string[]): Promise<string> => {
      const { exitCode, stdout, stderr } = await containerd.client.exec(id, words);
      assert.equal(exitCode, 0, `${words.join(' ')}: ${stdout}${stderr}`);
      return stdout;
    };
  }

  const inventory = () => taker.take();

  /** The web page of a container, from a place of the lab. */
  const fetchPage = (place: string, url: string) => lab.exec(place, 'curl', '-sS', '-m', '20', url);

  /** Runs the plugin as a runtime does. */
  function callPlugin(command: string, variables: Readonly<Record<string, string>>, config: object) {
    const environment = Object.entries({ CNI_COMMAND: command, ...variables }).map(([k, v]) => `${k}=${v}`);
    const input = JSON.stringify({ cniVersion: '1.1.0', name: 'podway', type: 'podway', ...config });
    return lab.runIn(NODE, ['env', ...environment, join(containerd.cniBin, 'podway')], { input });
  }

  const agentMetrics = () => fetchPage(NODE, 'http://127.0.0.1:10249/metrics');

  /** How many DELs the agent answered with success, and how many it did not. */
  async function deletions(): Promise<{ readonly done: number; readonly failed: number }> {
    const metrics = await agentMetrics();
    const counts = [...metrics.matchAll(/^podway_cni_requests_total\{command="DEL",code="(\d+)"\} (\d+)$/gm)];
    const sum = (failed: boolean) =>
      counts
        .filter(([, code]) => (code !== '0') === failed)
        .reduce((total, [, , count]) => total + Number(count), 0);
    return { done: sum(false), failed: sum(true) };
  }

  /** `ctr run --cni` calls ADD, with the places of configuration and plugins that are built into it. */
  async function startWithoutCri(name: string): Promise<void> {
    const script =
      'mount -t tmpfs tmpfs /etc && mount -t tmpfs tmpfs /opt && mkdir /etc/cni /opt/cni && ' +
      'ln -s "$1" /etc/cni/net.d && ln -s "$2" /opt/cni/bin && shift 2 && exec "$@"';
    const run = ['run', '--cni', '--detach', '--snapshotter', 'native'];
    const cgroup = ['--cgroup', `${containerd.cgroupParent}/${name}`];
    await lab.exec(
      NODE,
      ...['unshare', '--mount', 'sh', '-c', script, 'sh', containerd.cniConf, containerd.cniBin],
      ...containerd.ctrCommand(...run, ...cgroup, IMAGE, name),
    );
  }

  /** Deleting what runs detached calls no DEL. */
  async function endWithoutDel(name: string): Promise<void> {
    await containerd.ctr('task', 'delete', '--force', name);
    await containerd.ctr('container', 'delete', name);
  }

  async function killAgent(): Promise<void> {
    await killProcess(lab, AGENT);
    await retry(agentMetrics);
  }

  /** Does the work while there is no agent, nor anybody to start it again. */
  async function withoutAgent(work: () => Promise<void>): Promise<void> {
    const supervisor = await pidOf(lab, SUPERVISOR);
    await lab.exec(NODE, 'kill', '-STOP', supervisor);
    await lab.exec(NODE, 'kill', '-9', await pidOf(lab, AGENT));
    try {
      await work();
    } finally {
      await lab.exec(NODE, 'kill', '-CONT', supervisor);
    }
    await retry(agentMetrics);
  }

  /** Does the work with another agent than the node's own, which has Pod CIDRs that no lab has. */
  const withPodCidrs = (podCidrs: readonly string[], work: () => Promise<void>) =>
    withoutAgent(async () => {
      const directory = mkdtempSync(join(tmpdir(), 'podway-cni-'));
      const said = join(directory, 'said');
      const node = [process.execPath, '--disable-warning=ExperimentalWarning', CNI_NODE];
      const background = ['sh', '-c', 'said=$1; shift; "$@" >"$said" 2>&1 & echo $!', 'sh', said];
      const pid = await lab.exec(NODE, ...background, ...node, directory, podCidrs.join(','));
      try {
        await retry(async () => assert.equal(readFileSync(said, 'utf8'), 'ready\n'));
        containerd.usePlugin(join(directory, 'podway'));
        await work();
      } finally {
        containerd.usePlugin();
        await lab.exec(NODE, 'kill', '-9', pid.trim());
        rmSync(directory, { recursive: true });
      }
    });

  test('the runtime finds its network ready', async () => {
    const network = (await containerd.client.conditions()).find(({ type }) => type === 'NetworkReady');
    assert.deepEqual([network?.status, network?.message], [true, '']);
  });

  test('a Pod has an address of the node, its DNS configuration, names and Services', async () => {
    const dnsConfig = {
      servers: ['10.96.0.10'],
      searches: ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
      options: ['ndots:5'],
    };
    const pod = await startPod('plain', { dnsConfig });
    assert.match(pod.ip, /^10\.244\.0\.\d+$/);
    const exec = await startContainer(pod, WEB_SERVER);
    assert.match(await exec('/bin/ip', 'address', 'show', 'eth0'), new RegExp(`inet ${pod.ip}/32 `));
    assert.equal((await exec('/bin/hostname')).trim(), 'plain');
    assert.equal(
      await exec('/bin/cat', '/etc/resolv.conf'),
      `search ${dnsConfig.searches.join(' ')}\nnameserver 10.96.0.10\noptions ndots:5\n`,
    );
    assert.match(
      await exec('/bin/nslookup', 'kubernetes.default.svc.cluster.local'),
      /Address: 10\.96\.0\.1$/m,
    );
    // busybox's nc runs a program on the connection it got.
    await exec('/bin/nc', '-w', '5', '10.96.0.1', '443', '-e', '/bin/hostname');
    await retry(async () =>
      assert.equal(await fetchPage(NODE, `http://${pod.ip}`), 'hello from a container\n'),
    );
  });

  for (const { family, podCidrs } of [
    { family: 'dual stack', podCidrs: ['10.244.0.0/24', 'fd00:244::/64'] },
    { family: 'IPv6 alone', podCidrs: ['fd00:244::/64'] },
  ])
    test(`${family}: a Pod has an address of each Pod CIDR, and answers on it and on its host ports`, () =>
      withPodCidrs(podCidrs, async () => {
        const gateways = podCidrs.map((cidr) => cidr.replace(/(0)?\/\d+$/, '1'));
        const pod = await startPod('families', {
          portMappings: [
            { protocol: 'TCP', containerPort: 80, hostPort: 8085 },
            { protocol: 'TCP', containerPort: 80, hostPort: 8086, hostIp: gateways.at(-1) ?? '' },
          ],
        });
        const { network } = await containerd.client.podSandboxStatus(pod.id);
        const addresses = [network.ip, ...network.additionalIps.map(({ ip }) => ip)];
        assert.equal(addresses.length, podCidrs.length, addresses.join(' '));
        const exec = await startContainer(pod, WEB_SERVER);
        const shown = await exec('/bin/ip', 'address', 'show', 'eth0');
        const targets = [
          ...addresses.map(hostInUrl),
          ...gateways.map((gateway) => `${hostInUrl(gateway)}:8085`),
          `${hostInUrl(gateways.at(-1) ?? '')}:8086`,
        ];
        for (const address of addresses) assert.ok(shown.includes(` ${address}/`), shown);
        for (const target of targets)
          await retry(async () =>
            assert.equal(await fetchPage(NODE, `http://${target}`), 'hello from a container\n'),
          );
        await endPod(pod);
      }));

  test('DEL comes twice for each Pod, and succeeds each time', async () => {
    const pod = await startPod('twice');
    const before = await deletions();
    await endPod(pod);
    const { done, failed } = await deletions();
    assert.ok(done - before.done >= 2, `${done - before.done} DELs`);
    assert.equal(failed, 0);
  });

  test('a host port leads into the Pod; who asks for it a second time is refused, and leaves nothing', async () => {
    const portMappings = [{ protocol: 'TCP', containerPort: 80, hostPort: 8081 }] as const;
    const pod = await startPod('first', { portMappings });
    await startContainer(pod, WEB_SERVER);
    await retry(async () =>
      assert.equal(await fetchPage('outside', `http://${NODE_IP}:8081`), 'hello from a container\n'),
    );
    const withOne = await inventory();
    assert.equal(withOne.hostPorts.length > 0, true);
    const refused = await containerd.client
      .runPodSandbox(sandboxConfig('second', { portMappings }))
      .catch((error: unknown) => error);
    assert.ok(refused instanceof CriError, 'a second Pod got the same host port');
    assert.match(refused.message, new RegExp(`host port 8081/tcp is taken by container ${pod.id}`));
    assert.deepEqual(await inventory(), withOne);
  });

  test('a Pod whose annotations limit its bandwidth is shaped in both directions', async () => {
    const annotations = {
      'kubernetes.io/ingress-bandwidth': '8M',
      'kubernetes.io/egress-bandwidth': '4M',
    };
    const pod = await startPod('shaped', { annotations });
    const shaped = await lab.exec(NODE, 'tc', 'qdisc', 'show');
    assert.match(shaped, /^qdisc tbf \S+ dev pod[0-9a-f]{12} root .* rate 8Mbit /m);
    assert.match(shaped, /^qdisc tbf \S+ dev ifb[0-9a-f]{12} root .* rate 4Mbit /m);
    await lab.exec(NODE, 'ping', '-c1', '-W5', pod.ip);
  });

  test('CHECK, which containerd never calls: content with what ADD made, and names what was changed', async () => {
    const pod = await startPod('checked');
    const cache = await lab.exec(NODE, 'cat', `/var/lib/cni/results/podway-${pod.id}-eth0`);
    const { result } = JSON.parse(cache) as {
      readonly result: { readonly interfaces: readonly { readonly sandbox?: string }[] };
    };
    const netns = result.interfaces.find(({ sandbox }) => sandbox !== undefined)?.sandbox ?? '';
    const variables = { CNI_CONTAINERID: pod.id, CNI_NETNS: netns, CNI_IFNAME: 'eth0' };
    const check = () => callPlugin('CHECK', variables, { cniVersion: '0.4.0', prevResult: result });
    assert.deepEqual(await check(), { code: 0, signal: null, stdout: '', stderr: '' });
    await lab.exec(NODE, 'nsenter', `--net=${netns}`, 'ip', 'route', 'delete', 'default');
    const { code, stdout } = await check();
    const error = JSON.parse(stdout) as { readonly code: number; readonly msg: string };
    assert.deepEqual([code, error.code], [1, 101]);
    assert.match(error.msg, /the Pod has no default route via 10\.244\.0\.1/);
  });

  test('containerd and the agent restart while Pods run: they keep address and traffic, and go cleanly', async () => {
    const portMappings = [{ protocol: 'TCP', containerPort: 80, hostPort: 8082 }] as const;
    const pod = await startPod('lasting', { portMappings });
    await startContainer(pod, WEB_SERVER);
    const answers = async () =>
      assert.equal(await fetchPage('outside', `http://${NODE_IP}:8082`), 'hello from a container\n');
    await retry(answers);
    const running = await inventory();

    await containerd.stop('KILL');
    await answers();
    await containerd.start();
    const status = await containerd.client.podSandboxStatus(pod.id);
    assert.deepEqual([status.state, status.network.ip], ['SANDBOX_READY', pod.ip]);

    await killAgent();
    await answers();
    const younger = await startPod('younger');
    assert.notEqual(younger.ip, pod.ip);
    await endPod(younger);
    // A shim ends after its sandbox is gone.
    await retry(async () => assert.deepEqual(await inventory(), running));
  });

  test('without its agent the node takes no Pods and says why; Pods can go, and their addresses are free later', async () => {
    const pod = await startPod('leaving', {
      portMappings: [{ protocol: 'TCP', containerPort: 80, hostPort: 8083 }],
    });
    await withoutAgent(async () => {
      const refused = containerd.client.runPodSandbox(sandboxConfig('early'));
      await Promise.all([
        assert.rejects(refused, /the Podway agent of this node does not answer/),
        endPod(pod),
      ]);
    });
    await retry(async () => assert.deepEqual((await inventory()).attachments, []));
    await endPod(await startPod('early'));
  });

  test('GC ends what the runtime does not list, and nothing else', async () => {
    const pod = await startPod('listed');
    await startContainer(pod, WEB_SERVER);
    await retry(() => fetchPage(NODE, `http://${pod.ip}`));
    const withListed = await inventory();
    await startWithoutCri('unlisted');
    assert.equal((await inventory()).attachments.length, 2);
    const valid = [{ containerID: pod.id, ifname: 'eth0' }];
    const gc = await callPlugin('GC', {}, { 'cni.dev/valid-attachments': valid });
    assert.deepEqual(gc, { code: 0, signal: null, stdout: '', stderr: '' });
    await endWithoutDel('unlisted');
    await retry(async () => assert.deepEqual(await inventory(), withListed));
    assert.equal(await fetchPage(NODE, `http://${pod.ip}`), 'hello from a container\n');
  });

  test('a Pod that ends without DEL and GC is released by the agent', async () => {
    await startWithoutCri('forgotten');
    assert.equal((await inventory()).attachments.length, 1);
    await endWithoutDel('forgotten');
    await retry(async () => assert.deepEqual(await inventory(), untouched));
  });

  test(`${PARALLEL} Pods at once: every address once, each reached, nothing left`, async (t) => {
    const started = performance.now();
    const pods = await Promise.all(Array.from({ length: PARALLEL }, (_, i) => startPod(`pod-${i}`)));
    const seconds = (performance.now() - started) / 1000;
    assert.equal(new Set(pods.map(({ ip }) => ip)).size, PARALLEL);
    const { attachments, shims, namespaces } = await inventory();
    assert.deepEqual(attachments.toSorted(), pods.map(({ id, ip }) => `${id} ${ip}`).sort());
    assert.deepEqual([shims, namespaces.length - untouched.namespaces.length], [PARALLEL, PARALLEL]);
    await Promise.all(pods.map(({ ip }) => lab.exec(NODE, 'ping', '-c1', '-W5', ip)));
    await Promise.all(pods.map(endPod));
    assert.deepEqual((await inventory()).attachments, []);
    t.diagnostic(`${PARALLEL} Pods started in ${seconds.toFixed(1)} s`);
  });
});
