import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Cgroups, openCgroups } from '#cgroup';
import { sandboxedKernel } from '#kernel';
import { EVENTS, NAMESPACES, PODS, type Pod, type PodSpec } from '#kube-api';
import { FakeKubeClient } from '#kube-client';
import { type Logger, silentLogger, sleep, systemClock } from '#runtime';
import { imageHost } from '../images/image-host.ts';
import { createImageTable, parseImageOverride } from '../images/resolve.ts';
import { type Kubelet, startKubelet } from '../kubelet.ts';
import { rootLayout } from '../runtime/root-layout.ts';

/** A node with a kubelet over a fake API server, for tests inside namespaces of their own. */
export interface TestNode extends AsyncDisposable {
  readonly client: FakeKubeClient;
  readonly kubelet: Kubelet;
  readonly cgroups: Cgroups;
  readonly dir: string;
  readonly cniState: string;
  readonly cniConfDir: string;
  createPod(name: string, spec: Partial<PodSpec>): Promise<Pod>;
  /** Resolves to the Pod once `condition` holds; undefined stands for a Pod that is gone. */
  waitFor(name: string, condition: (pod: Pod | undefined) => boolean): Promise<Pod | undefined>;
  /** `REASON MESSAGE` of the events so far. */
  events(): Promise<readonly string[]>;
}

const NETNS = '/run/netns/node1';

export async function startTestNode(
  options: { readonly logger?: Logger; readonly network?: boolean } = {},
): Promise<TestNode> {
  const kernel = sandboxedKernel();
  kernel.deleteNetns(NETNS);
  const netns = kernel.createNetns(NETNS);
  netns.links.set('lo', { up: true });
  netns[Symbol.dispose]();
  const dir = mkdtempSync(join(tmpdir(), 'kubelet-'));
  const binDir = join(dir, 'bin');
  mkdirSync(binDir);
  copyFileSync(join(import.meta.dirname, 'cni-plugin.sh'), join(binDir, 'test-cni'));
  const cniConfDir = join(dir, 'net.d');
  mkdirSync(cniConfDir);
  if (options.network !== false) writeNetworkConfig(cniConfDir);
  const client = new FakeKubeClient();
  await client.create(NAMESPACES, { metadata: { name: 'kube-node-lease' } });
  const runDir = '/run/podway/nodes/node1';
  const cgroups = openCgroups(`podway-test-${randomUUID().slice(0, 8)}`);
  const kubelet = await startKubelet({
    nodeName: 'node1',
    nodeAddresses: ['172.30.0.11'],
    netnsPath: NETNS,
    runDir,
    cniConfDir,
    cniBinDir: binDir,
    logDir: join(dir, 'logs'),
    client,
    kernel,
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    images: createImageTable({
      host: await imageHost(),
      builtinCommand: [process.execPath, resolve(import.meta.dirname, '../../cli/main.ts'), 'builtin'],
      overrides: [parseImageOverride('sh=sh'), parseImageOverride('sleep=sleep 1000')],
    }),
    layout: rootLayout(runDir),
    // The checkout may lie where a container has something of its own, as in /tmp.
    visiblePaths: [resolve(import.meta.dirname, '../../..')],
    cgroups,
    podPidsLimit: 500,
    logger: options.logger ?? silentLogger,
  });
  return {
    client,
    kubelet,
    cgroups,
    dir,
    cniState: join(binDir, 'state'),
    cniConfDir,
    createPod: (name, spec) =>
      client.create<Pod>(PODS, {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default' },
        spec: { nodeName: 'node1', containers: [], ...spec },
      }),
    async waitFor(name, condition) {
      const deadline = performance.now() + 60_000;
      for (;;) {
        const { items } = await client.list(PODS, { namespace: 'default' });
        const pod = items.find(({ metadata }) => metadata?.name === name);
        if (condition(pod)) return pod;
        if (performance.now() > deadline)
          throw new Error(`timed out; the Pod is ${JSON.stringify(pod?.status, null, 1)}`);
        await sleep(systemClock, 10);
      }
    },
    async events() {
      const { items } = await client.list(EVENTS, {});
      return items.map(({ reason, message }) => `${reason ?? ''} ${message ?? ''}`);
    },
    async [Symbol.asyncDispose]() {
      await kubelet[Symbol.asyncDispose]();
      for (const { containers } of kubelet.pods())
        for (const container of containers) container.running?.process.kill('SIGKILL');
      await cgroups[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export function writeNetworkConfig(confDir: string): void {
  const config = { cniVersion: '1.1.0', name: 'test', plugins: [{ type: 'test-cni' }] };
  writeFileSync(join(confDir, '10-test.conflist'), JSON.stringify(config));
}

export const isReady = (pod: Pod | undefined): boolean =>
  pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
