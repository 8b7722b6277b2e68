import { formatTime, NODES, type Node } from '#kube-api';
import {
  createInformer,
  createKubeClient,
  type Informer,
  type KubeClient,
  loadKubeconfig,
} from '#kube-client';
import { type Clock, type Logger, systemClock } from '#runtime';
import type { BootTimeline } from './boot-timeline.ts';
import { LabError } from './errors.ts';
import { missingNodes, nodeAddresses } from './node-readiness.ts';
import type { LabNode } from './records.ts';

/** The supervisor's own view of the cluster. */
export interface ClusterWatch extends AsyncDisposable {
  readonly client: KubeClient;
  readonly nodes: Informer<Node>;
}

/** Connects to the API server; it may still be starting. */
export async function watchCluster(kubeconfig: string, logger: Logger): Promise<ClusterWatch> {
  const client = createKubeClient(
    await loadKubeconfig({ paths: [kubeconfig] }),
    {},
    { userAgent: 'podway-lab' },
  );
  const nodes = createInformer(client, NODES, {}, { logger, retryMs: { first: 20, max: 1_000 } });
  return {
    client,
    nodes,
    [Symbol.asyncDispose]: async () => {
      await nodes[Symbol.asyncDispose]();
      client[Symbol.dispose]();
    },
  };
}

/**
 * Takes back what stored Nodes said of themselves before the lab was stopped, as a control plane does of nodes that are
 * silent: who is Ready then is so now.
 */
export async function forgetReadiness(client: KubeClient, clock: Clock = systemClock): Promise<void> {
  const { items } = await client.list(NODES);
  const lastTransitionTime = formatTime(clock.now());
  const unknown = { status: 'Unknown', reason: 'NodeStatusUnknown', message: 'the lab was stopped' } as const;
  await Promise.all(
    items.map(({ metadata, status }) => {
      const conditions = (status?.conditions ?? []).map((condition) => ({
        ...condition,
        ...unknown,
        lastTransitionTime,
      }));
      return client.patch(
        NODES,
        { name: metadata?.name ?? '' },
        'merge',
        { status: { conditions } },
        'status',
      );
    }),
  );
}

/**
 * Resolves when every named Node is Ready and has Pod addresses, marking the steps on the way.
 * @throws LabError naming what is missing after `timeoutMs`
 */
export async function awaitNodes(
  { nodes }: ClusterWatch,
  names: readonly string[],
  timeline: BootTimeline,
  timeoutMs: number,
): Promise<readonly LabNode[]> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    const missing = nodes.hasSynced
      ? missingNodes(names, nodes.list())
      : ['the API server does not answer; see: podway lab logs apiserver'];
    reject(new LabError(`the lab was not ready after ${timeoutMs / 1000} s\n  ${missing.join('\n  ')}`));
  }, timeoutMs);
  const look = () => {
    if (!nodes.hasSynced) return;
    timeline.mark('API server answers');
    const known = names.flatMap((name) => nodes.get(name) ?? []);
    if (known.length < names.length) return;
    timeline.mark('nodes registered');
    if (!known.every((node) => node.spec?.podCIDR)) return;
    timeline.mark('Pod CIDRs given');
    if (missingNodes(names, known).length === 0) resolve();
  };
  using _listener = nodes.onChange(look);
  void nodes.synced.then(look);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
  }
  return names.map((name) => ({ name, ...nodeAddresses(nodes.get(name) ?? {}) }));
}
