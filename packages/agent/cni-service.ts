import { mkdirSync } from 'node:fs';
import {
  AttachmentStore,
  CniPlugin,
  CniServer,
  compiledClient,
  DataPath,
  HostPorts,
  installExecutable,
  NodeAttachments,
} from '#cni';
import type { Kernel, NetworkNamespace } from '#kernel';
import { type Clock, errorMessage, type Logger, Reconciler } from '#runtime';
import type { Metrics } from './metrics.ts';
import { nodeNetwork, type PodRanges, recallPodRanges, rememberPodRanges } from './node-network.ts';
import type { AgentOptions } from './options.ts';
import { agentPaths } from './paths.ts';

export interface CniServiceDeps {
  readonly kernel: Kernel;
  readonly netns: NetworkNamespace;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * How long after a link's end its Pod is looked for, milliseconds: longer than a DEL takes, and seldom enough that looking
 * at all Pods of a node (0.1 ms each) does not count.
 */
const REPAIR_DELAY_MS = 5000;

/** The agent's CNI side: attaches Pods on request, from the ranges that its Node has. */
export class CniService implements AsyncDisposable {
  readonly #deps: CniServiceDeps;
  readonly #options: AgentOptions;
  readonly #store: AttachmentStore;
  readonly #attachments: NodeAttachments;
  readonly #plugin: CniPlugin;
  readonly #repair: Reconciler;
  readonly #linksEnd: Disposable;
  #server: CniServer | undefined;
  #ranges: PodRanges | undefined;

  private constructor(options: AgentOptions, deps: CniServiceDeps) {
    const { kernel, netns, clock, logger, metrics } = deps;
    this.#deps = deps;
    this.#options = options;
    mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
    this.#store = new AttachmentStore(agentPaths(options).store);
    this.#attachments = new NodeAttachments({
      store: this.#store,
      dataPath: new DataPath(kernel, netns),
      hostPorts: new HostPorts(netns, options.serviceCidrs),
      clock,
      logger,
    });
    this.#plugin = new CniPlugin({
      attachments: this.#attachments,
      clock,
      logger,
      onExecuted: ({ command, code, milliseconds }) => {
        metrics.add('podway_cni_requests_total', 'CNI requests by command and error code; 0 is success.', {
          command,
          code: String(code),
        });
        metrics.add(
          'podway_cni_seconds_total',
          'Time spent on CNI requests.',
          { command },
          milliseconds / 1000,
        );
      },
    });
    this.#repair = new Reconciler(
      { name: 'CNI repair', logger, clock, coalesceMs: REPAIR_DELAY_MS },
      async () => {
        if (this.isReady) await this.#attachments.repair();
      },
    );
    // A DEL may give up while the agent is away, and the Pod's namespace be there still when the agent begins: its end
    // is told by its link's, whenever that is.
    this.#linksEnd = netns.monitor(
      (event) => {
        if (event.kind === 'overrun' || event.change === 'del') this.#repair.trigger();
      },
      ['link'],
    );
    metrics.onCollect(() => metrics.set('podway_attachments', 'Pods attached here.', this.#store.count()));
  }

  /** Listens, and takes Pods at once if an earlier run left word of the node's ranges. */
  static async start(options: AgentOptions, deps: CniServiceDeps): Promise<CniService> {
    const paths = agentPaths(options);
    const service = new CniService(options, deps);
    service.setRanges(recallPodRanges(paths.ranges));
    const { clock, logger } = deps;
    const execute = service.#plugin.execute.bind(service.#plugin);
    service.#server = await CniServer.listen({ execute, clock, logger }, paths.socket);
    const transport = installExecutable({
      binDir: options.cniBinDir,
      socketPath: paths.socket,
      compiledClient: compiledClient(),
      searchPath: process.env['PATH'] ?? '',
    });
    if (transport !== undefined)
      logger.info('the CNI executable is a script, some milliseconds slower: no C compiler made the other', {
        with: transport[0],
      });
    return service;
  }

  /** Whether Pods can be attached. */
  get isReady(): boolean {
    return this.#ranges !== undefined;
  }

  /** undefined, when they are not known now, changes nothing. */
  setRanges(ranges: PodRanges | undefined): void {
    if (ranges === undefined || JSON.stringify(ranges) === JSON.stringify(this.#ranges)) return;
    this.#attachments.setNode(nodeNetwork(ranges));
    if (this.#ranges === undefined)
      this.#attachments.repair().catch((error: unknown) => {
        this.#deps.logger.error('cannot repair what an earlier run left', { error: errorMessage(error) });
      });
    this.#ranges = ranges;
    rememberPodRanges(agentPaths(this.#options).ranges, ranges);
    this.#deps.logger.info('Pods get addresses', { ...ranges });
  }

  /** Puts right what others did to the bridge and to host ports. */
  verify(): Promise<void> {
    return this.#attachments.verify();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
    this.#linksEnd[Symbol.dispose]();
    await this.#repair[Symbol.asyncDispose]();
    this.#store[Symbol.dispose]();
  }
}
