import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  AttachmentStore,
  addressRange,
  BRIDGE,
  CniPlugin,
  CniServer,
  DataPath,
  installExecutable,
  removeConflist,
  removeExecutable,
  writeConflist,
} from '#cni';
import { IP_FAMILIES } from '#ip';
import type { Kernel, NetworkNamespace } from '#kernel';
import { NODES, type Node } from '#kube-api';
import { createInformer, type KubeClient } from '#kube-client';
import { hostGw, PodNetwork, readClusterNode } from '#pod-network';
import { type Clock, type Logger, Reconciler } from '#runtime';
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
  const netns = starting.use(kernel.currentNetns());
  const store = starting.use(openStore(options));
  const dataPath = new DataPath(kernel, netns);
  const plugin = new CniPlugin({ store, dataPath, clock, logger: logger.with({ part: 'cni' }) });
  const network = createPodNetwork(options, netns, logger);
  const nodes = starting.use(createInformer(client, NODES, { transform: slimNode }, { clock, logger }));
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>();
  let podNetworkOfNode = '';

  const reconciler = starting.use(
    new Reconciler({ name: 'pod network', logger, clock }, async () => {
      if (!nodes.hasSynced) return;
      const list = nodes.list();
      const wanted = nodeNetwork(options.nodeName, list, network);
      if (wanted !== undefined && JSON.stringify(wanted) !== podNetworkOfNode) {
        const isFirst = podNetworkOfNode === '';
        plugin.setNode({
          ranges: wanted.podCidrs.map((family) => family.map(addressRange)),
          mtu: wanted.mtu,
        });
        if (isFirst) plugin.repair();
        podNetworkOfNode = JSON.stringify(wanted);
        logger.info('Pods get addresses', { from: wanted.podCidrs.flat(), mtu: wanted.mtu });
      }
      await network.reconcile(list);
      if (wanted === undefined) return;
      if (writeConflist(options.cniConfDir))
        logger.info('the node takes Pods', { cniConfDir: options.cniConfDir });
      becomeReady();
    }),
  );
  starting.use(nodes.onChange(() => reconciler.trigger()));
  void nodes.synced.then(() => reconciler.trigger());

  const socketPath = join(options.runDir, 'agent.sock');
  starting.use(
    await CniServer.listen({ execute: (frame) => plugin.execute(frame), clock, logger }, socketPath),
  );
  installExecutable({
    binDir: options.cniBinDir,
    socketPath,
    compiledClient: undefined,
    searchPath: process.env['PATH'] ?? '',
  });

  const running = starting.move();
  return { ready, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

/** Removes what Podway made on this node: kernel state, the CNI configuration and executable, its directories' files. */
export async function cleanUpNode(
  options: AgentOptions,
  deps: Pick<AgentDeps, 'kernel' | 'logger'>,
): Promise<void> {
  const { kernel, logger } = deps;
  using netns = kernel.currentNetns();
  removeConflist(options.cniConfDir);
  removeExecutable(options.cniBinDir);
  await createPodNetwork(options, netns, logger).remove();
  new DataPath(kernel, netns).remove();
  for (const file of ['agent.sock']) rmSync(join(options.runDir, file), { force: true });
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${storePath(options)}${suffix}`, { force: true });
  logger.info('removed what Podway made on this node');
}

function createPodNetwork(options: AgentOptions, netns: NetworkNamespace, logger: Logger): PodNetwork {
  return new PodNetwork(
    { netns, backend: hostGw, logger: logger.with({ part: 'pod-network' }) },
    {
      nodeName: options.nodeName,
      clusterCidrs: options.clusterCidrs,
      serviceCidrs: options.serviceCidrs,
      masquerade: options.masquerade,
      podLinks: [BRIDGE],
    },
  );
}

/** This node's Pod CIDRs, a list a family, and its Pods' MTU; undefined until both are known. */
function nodeNetwork(nodeName: string, nodes: readonly Node[], network: PodNetwork) {
  const own = nodes.find((node) => node.metadata?.name === nodeName);
  if (own === undefined) return undefined;
  const { podCidrs } = readClusterNode(own).node;
  const mtu = network.podMtu(nodes);
  if (podCidrs.length === 0 || mtu === undefined) return undefined;
  const families = IP_FAMILIES.map((family) =>
    podCidrs.filter((cidr) => cidr.includes(':') === (family === 'IPv6')),
  );
  return { podCidrs: families.filter((family) => family.length > 0), mtu };
}

function openStore(options: AgentOptions): AttachmentStore {
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  return new AttachmentStore(storePath(options));
}

function storePath(options: AgentOptions): string {
  return join(options.stateDir, 'attachments.sqlite');
}
