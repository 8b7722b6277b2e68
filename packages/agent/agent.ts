import { writeConflist } from '#cni';
import type { InheritedSocket } from '#dns';
import type { Kernel } from '#kernel';
import type { KubeClient } from '#kube-client';
import { type Clock, type Logger, Reconciler } from '#runtime';
import type { ServiceProxy } from '#service-proxy';
import { type ClusterDns, dnsWantsPods, startClusterDns } from './cluster-dns.ts';
import { watchCluster } from './cluster-informers.ts';
import { CniService } from './cni-service.ts';
import { type Page, servePages } from './http-pages.ts';
import { Metrics } from './metrics.ts';
import { podRanges } from './node-network.ts';
import type { AgentOptions } from './options.ts';
import { createPodNetwork } from './pod-network.ts';
import { proxyHealth } from './proxy-health.ts';
import { countAnswers, countFailures, countSyncs } from './proxy-metrics.ts';
import { startServices } from './services.ts';

export interface AgentDeps {
  readonly kernel: Kernel;
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Sockets that outlive the agent, for cluster DNS; what is not among them is bound. */
  readonly sockets?: readonly InheritedSocket[];
}

export interface Agent extends AsyncDisposable {
  /** Resolves once the node can take Pods: the CNI configuration is written. */
  readonly ready: Promise<void>;
}

/** What others do to our rules, they do without a word: looked at this often. Milliseconds. */
const CHECK_MS = 5_000;

/** Starts a node's daemon. It goes on until disposed; what it made in the kernel stays and serves. */
export async function startAgent(options: AgentOptions, deps: AgentDeps): Promise<Agent> {
  await using starting = new AsyncDisposableStack();
  const { kernel, client, clock, logger, sockets = [] } = deps;
  const part = (name: string) => logger.with({ part: name });
  const cluster = watchCluster(client, dnsWantsPods(options), { clock, logger: part('watch') }, starting);
  const { nodes, services, endpointSlices } = cluster;
  const netns = starting.use(kernel.currentNetns());
  const metrics = new Metrics();
  const cni = starting.use(
    await CniService.start(options, { kernel, netns, clock, logger: part('cni'), metrics }),
  );

  const network = createPodNetwork(options, netns, part('pod-network'));
  const { promise: ready, resolve: becomeReady } = Promise.withResolvers<void>();
  const podNetwork = starting.use(
    new Reconciler({ name: 'pod network', logger, clock, coalesceMs: 2, againMs: CHECK_MS }, async () => {
      if (!nodes.hasSynced) return;
      cni.setRanges(podRanges(options.nodeName, nodes.list(), network));
      await cni.verify();
      const { plan, problems } = await network.reconcile(nodes.list());
      metrics.set('podway_routes', 'Routes to Pods of other nodes.', plan.routes.length);
      metrics.set('podway_node_problems', 'Reasons why Pods of a node cannot be reached.', problems.length);
      if (!cni.isReady) return;
      if (writeConflist(options.cniConfDir)) logger.info('the node takes Pods', { in: options.cniConfDir });
      becomeReady();
    }),
  );
  starting.use(nodes.onChange(() => podNetwork.trigger()));
  void nodes.synced.then(() => podNetwork.trigger());
  let proxy: ServiceProxy | undefined;
  // What others change under us: an address that comes or goes, a route of ours that is gone, a bridge taken down.
  starting.use(
    netns.monitor((event) => {
      const isRouteGone = event.kind === 'route' && event.change === 'del';
      const mayBeAddress = event.kind === 'overrun' || event.kind === 'address';
      if (mayBeAddress || isRouteGone) podNetwork.trigger();
      if (mayBeAddress) proxy?.refresh();
    }),
  );

  const health = proxyHealth(
    () => proxy,
    () => nodes.get(options.nodeName),
    clock,
  );
  if (options.proxy !== 'none')
    proxy = await startServices(
      options.proxy,
      options,
      {
        ...{ netns, services, endpointSlices, nodes, clock },
        logger: part('service-proxy'),
        isHealthy: health.isHealthy,
        onSync: countSyncs(metrics, clock, () => proxy),
        onFailure: countFailures(metrics, options.proxy),
      },
      starting,
    );

  const dns = starting.use(
    startClusterDns({ ...cluster, netns, inherited: sockets, clock, logger: part('dns') }, options),
  );

  await serveAgentPages(options, { health, metrics, dns, logger }, starting);
  const running = starting.move();
  return { ready, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

interface PagesDeps {
  readonly health: ReturnType<typeof proxyHealth>;
  readonly metrics: Metrics;
  readonly dns: ClusterDns;
  readonly logger: Logger;
}

/** What others may ask of the agent, as they ask a kube-proxy. */
async function serveAgentPages(
  options: AgentOptions,
  { health, metrics, dns, logger }: PagesDeps,
  stack: AsyncDisposableStack,
): Promise<void> {
  const counted = (name: string, page: () => Page) => countAnswers(metrics, name, page);
  const healthPages = {
    '/healthz': counted('healthz', health.healthz),
    '/livez': counted('livez', health.livez),
  };
  stack.use(await servePages(options.health, healthPages, logger));
  const numbers = () => ({ status: 200, body: metrics.format() + dns.formatMetrics() });
  // As kube-proxy says which of its modes runs; tools that tell proxies apart ask.
  const mode = () => ({ status: 200, body: options.proxy });
  stack.use(await servePages(options.metrics, { '/metrics': numbers, '/proxyMode': mode }, logger));
}
