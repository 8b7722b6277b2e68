import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  AttachmentStore,
  BRIDGE,
  CniPlugin,
  CniServer,
  DataPath,
  installExecutable,
  removeConflist,
  removeExecutable,
  writeConflist,
} from '#cni';
import type { Kernel, NetworkNamespace } from '#kernel';
import { NODES } from '#kube-api';
import { createInformer, type KubeClient } from '#kube-client';
import { hostGw, PodNetwork } from '#pod-network';
import { type Clock, type Logger, Reconciler } from '#runtime';
import {
  nodeNetwork,
  type PodRanges,
  podRanges,
  recallPodRanges,
  rememberPodRanges,
} from './node-network.ts';
import type { AgentOptions } from './options.ts';
import { slimNode } from './slim-node.ts';

export interface AgentDeps {
  readonly kernel: Kernel;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Agent extends AsyncDisposable {
  /** Resolves once the node can take Pods: the CNI configuration is written. */
  readonly ready: Promise<void>;
}

/** Starts a node's daemon. It goes on until disposed; what it made in the kernel stays and serves. */
export async function startAgent(options: AgentOptions, deps: AgentDeps): Promise<Agent> {
  await using starting = new AsyncDisposableStack();
  const { kernel, client, clock, logger } = deps;
  const paths = pathsOf(options);
  const netns = starting.use(kernel.currentNetns());
  const nodes = starting.use(createInformer(client, NODES, { transform: slimNode }, { clock, logger }));
  const network = createPodNetwork(options, netns, logger);
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const store = starting.use(new AttachmentStore(paths.store));
  const dataPath = new DataPath(kernel, netns);
  const plugin = new CniPlugin({ store, dataPath, clock, logger: logger.with({ part: 'cni' }) });
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>();
  let current: PodRanges | undefined;

  const takePods = (ranges: PodRanges | undefined): void => {
    if (ranges === undefined || JSON.stringify(ranges) === JSON.stringify(current)) return;
    plugin.setNode(nodeNetwork(ranges));
    if (current === undefined) plugin.repair();
    current = ranges;
    rememberPodRanges(paths.ranges, ranges);
    logger.info('Pods get addresses', { ...ranges });
  };
  takePods(recallPodRanges(paths.ranges));

  const reconciler = starting.use(
    new Reconciler({ name: 'pod network', logger, clock }, async () => {
      if (!nodes.hasSynced) return;
      const list = nodes.list();
      takePods(podRanges(options.nodeName, list, network));
      await network.reconcile(list);
      if (current === undefined) return;
      if (writeConflist(options.cniConfDir))
        logger.info('the node takes Pods', { conflist: options.cniConfDir });
      becomeReady();
    }),
  );
  starting.use(nodes.onChange(() => reconciler.trigger()));
  void nodes.synced.then(() => reconciler.trigger());

  const execute = plugin.execute.bind(plugin);
  starting.use(await CniServer.listen({ execute, clock, logger }, paths.socket));
  installExecutable({
    binDir: options.cniBinDir,
    socketPath: paths.socket,
    compiledClient: undefined,
    searchPath: process.env['PATH'] ?? '',
  });

  const running = starting.move();
  return { ready, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Removes what Podway made on this node: kernel state, the CNI configuration and executable, its own files. */
export async function cleanUpNode(
  options: AgentOptions,
  { kernel, logger }: Pick<AgentDeps, 'kernel' | 'logger'>,
): Promise<void> {
  using netns = kernel.currentNetns();
  const paths = pathsOf(options);
  removeConflist(options.cniConfDir);
  removeExecutable(options.cniBinDir);
  await createPodNetwork(options, netns, logger).remove();
  new DataPath(kernel, netns).remove();
  const stores = ['', '-wal', '-shm'].map((suffix) => paths.store + suffix);
  for (const path of [paths.socket, paths.ranges, ...stores]) rmSync(path, { force: true });
  logger.info('removed what Podway made on this node');
}

function pathsOf({ runDir, stateDir }: AgentOptions) {
  return {
    socket: join(runDir, 'agent.sock'),
    store: join(stateDir, 'attachments.sqlite'),
    ranges: join(stateDir, 'pod-ranges.json'),
  };
}

function createPodNetwork(options: AgentOptions, netns: NetworkNamespace, logger: Logger): PodNetwork {
  const { nodeName, clusterCidrs, serviceCidrs, masquerade } = options;
  return new PodNetwork(
    { netns, backend: hostGw, logger: logger.with({ part: 'pod-network' }) },
    { nodeName, clusterCidrs, serviceCidrs, masquerade, podLinks: [BRIDGE] },
  );
}
