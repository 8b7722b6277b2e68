import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Cgroups } from '#cgroup';
import type { Kernel } from '#kernel';
import { PODS, SERVICES } from '#kube-api';
import { createInformer, EventRecorder, type KubeClient } from '#kube-client';
import { type Clock, type Logger, type Random, silentLogger, systemClock, systemRandom } from '#runtime';
import { CniInvoker } from './cni/invoker.ts';
import { isSingleUser } from './images/image-host.ts';
import type { ImageTable } from './images/resolve.ts';
import { NodeRegistration } from './node/node-registration.ts';
import { machine } from './node/node-status.ts';
import type { PodWorker } from './pod/pod-worker.ts';
import { PodWorkers } from './pod/pod-workers.ts';
import type { RootLayout } from './runtime/root-layout.ts';

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
  const workers = stack.use(
    new PodWorkers({
      ...deps,
      client,
      kernel: options.kernel,
      cni,
      recorder,
      images: options.images,
      singleUser: isSingleUser(),
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
    }),
  );
  await services.synced;
  pods.onChange((current, old) => workers.changed(current, old));
  for (const pod of pods.list()) workers.changed(pod, undefined);
  const owned = stack.move();
  return {
    nodeName,
    pods: () => workers.all(),
    findPod: (namespace, name) => workers.find(namespace, name),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
