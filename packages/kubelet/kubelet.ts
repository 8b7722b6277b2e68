import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Cgroups } from '#cgroup';
import type { Kernel } from '#kernel';
import { PODS, type Pod, SERVICES } from '#kube-api';
import { createInformer, EventRecorder, type KubeClient } from '#kube-client';
import { type Clock, type Logger, type Random, silentLogger, systemClock, systemRandom } from '#runtime';
import { CniInvoker } from './cni/invoker.ts';
import { type ImageTable, whichOnHost } from './images/resolve.ts';
import type { ImageHost } from './images/table.ts';
import { NodeRegistration } from './node/node-registration.ts';
import { machine } from './node/node-status.ts';
import { PodWorker } from './pod/pod-worker.ts';
import { probeRootLayout, type RootLayout } from './runtime/root-layout.ts';

export interface KubeletOptions {
  readonly nodeName: string;
  readonly nodeAddresses: readonly string[];
  /** `/run/netns/node1` */
  readonly netnsPath: string;
  /** `/run/podway/nodes/node1`, on the lab's tmpfs: Pods' roots and volumes. */
  readonly runDir: string;
  readonly cniConfDir: string;
  readonly cniBinDir: string;
  /** Containers' logs: `LOG_DIR/NAMESPACE_POD_UID/CONTAINER/N.log`. */
  readonly logDir: string;
  readonly client: KubeClient;
  readonly kernel: Kernel;
  readonly clusterDns: readonly string[];
  /** `cluster.local` */
  readonly clusterDomain: string;
  readonly images: ImageTable;
  /** How containers' roots are built: {@link rootLayout}, once for all nodes. */
  readonly layout: () => Promise<RootLayout>;
  /** What enforces Pods' limits; shared by all nodes, and ended by whoever opened it. */
  readonly cgroups: Cgroups;
  /** How many processes a Pod may have, as a kubelet's podPidsLimit; not limited by default. */
  readonly podPidsLimit?: number;
  /** Directories of the host that must be there in containers, when they lie in /tmp, /run or /mnt. */
  readonly visiblePaths?: readonly string[];
  /** Label `topology.kubernetes.io/zone`. */
  readonly zone?: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** The node agent of one node: registers it, runs its Pods, reports their status. */
export interface Kubelet extends AsyncDisposable {
  readonly nodeName: string;
  /** A Pod that runs here; undefined when there is none of that name. */
  findPod(namespace: string, name: string): PodWorker | undefined;
  pods(): readonly PodWorker[];
}

/** Finds out, once, how containers' roots can be built on this machine. @param runDir on the lab's tmpfs */
export function rootLayout(runDir: string, logger: Logger = silentLogger): () => Promise<RootLayout> {
  let layout: Promise<RootLayout> | undefined;
  return () => {
    layout ??= probeRootLayout(join(runDir, 'root-probe'), logger);
    return layout;
  };
}

/** What the image table must know of the machine. */
export async function imageHost(): Promise<ImageHost> {
  return {
    singleUser: isSingleUser(readFileSync('/proc/self/uid_map', 'utf8')),
    busyboxApplets: await busyboxApplets(),
  };
}

/** user_namespaces(7): one line that maps one user. */
export function isSingleUser(uidMap: string): boolean {
  const lines = uidMap.trim().split('\n');
  return lines.length === 1 && lines[0]?.trim().split(/\s+/)[2] === '1';
}

/** What the host's busybox, if there is one, can do that the host has no command for. */
async function busyboxApplets(): Promise<readonly string[]> {
  const busybox = whichOnHost('busybox');
  if (busybox === undefined) return [];
  const { stdout } = await promisify(execFile)(busybox, ['--list']);
  return stdout
    .trim()
    .split('\n')
    .filter((name) => whichOnHost(name) === undefined);
}

/** Starts a node's kubelet; resolves when it has begun to follow the API. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { client, nodeName, runDir, cniConfDir } = options;
  const logger = (options.logger ?? silentLogger).with({ node: nodeName });
  const clock = options.clock ?? systemClock;
  const random = options.random ?? systemRandom;
  await using stack = new AsyncDisposableStack();
  mkdirSync(join(runDir, 'pods'), { recursive: true });
  const nodeNetns = stack.use(options.kernel.openNetns(options.netnsPath));
  const cni = new CniInvoker({
    confDir: cniConfDir,
    binDir: options.cniBinDir,
    cacheDir: join(runDir, 'cni/cache'),
    netns: nodeNetns,
  });
  const description = { nodeName, addresses: options.nodeAddresses, zone: options.zone };
  const deps = { clock, random, logger };
  const recorder = new EventRecorder({ client, ...deps }, { component: 'kubelet', host: nodeName });
  stack.use(
    new NodeRegistration(description, {
      client,
      cni,
      recorder,
      clock,
      logger,
      cniConfDir,
      machine: machine(),
    }),
  );
  const services = stack.use(createInformer(client, SERVICES, {}, deps));
  const pods = stack.use(createInformer(client, PODS, { fieldSelector: `spec.nodeName=${nodeName}` }, deps));
  const workers = new Map<string, PodWorker>();
  stack.defer(() => {
    for (const worker of workers.values()) worker[Symbol.dispose]();
  });
  const workerDeps = {
    ...deps,
    client,
    kernel: options.kernel,
    cni,
    recorder,
    images: options.images,
    singleUser: isSingleUser(readFileSync('/proc/self/uid_map', 'utf8')),
    layout: options.layout,
    cgroups: options.cgroups,
    podPidsLimit: options.podPidsLimit,
    services: () => services.list(),
    nodeName,
    nodeAddresses: options.nodeAddresses,
    nodeNetnsPath: options.netnsPath,
    clusterDns: options.clusterDns,
    clusterDomain: options.clusterDomain,
    allocatable: machine(),
    podsDir: join(runDir, 'pods'),
    logDir: options.logDir,
    visible: options.visiblePaths ?? [],
  };
  const see = (pod: Pod): void => {
    const uid = pod.metadata?.uid ?? '';
    const worker = workers.get(uid);
    if (worker !== undefined) {
      worker.update(pod);
      return;
    }
    const finished = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (finished && pod.metadata?.deletionTimestamp === undefined) return;
    const started = new PodWorker(pod, workerDeps, () => {
      workers.delete(uid);
      started[Symbol.dispose]();
    });
    workers.set(uid, started);
  };
  await services.synced;
  pods.onChange((current, old) => {
    const oldUid = old?.metadata?.uid;
    if (oldUid !== undefined && oldUid !== current?.metadata?.uid) workers.get(oldUid)?.vanished();
    if (current !== undefined) see(current);
  });
  for (const pod of pods.list()) see(pod);
  const owned = stack.move();
  return {
    nodeName,
    pods: () => [...workers.values()],
    findPod: (namespace, name) =>
      [...workers.values()].find(
        ({ pod }) => pod.metadata?.namespace === namespace && pod.metadata.name === name,
      ),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
