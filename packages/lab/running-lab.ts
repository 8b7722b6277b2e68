import type { Cgroups } from '#cgroup';
import type { IpAddress } from '#ip';
import { linuxKernel, type NetworkNamespace } from '#kernel';
import { errorMessage, type Logger } from '#runtime';
import type { ProxyMechanism } from '#service-proxy';
import { API_SERVER_PORT, addressPlans, nodeAddress, nodeNames } from './addresses.ts';
import { agentCommand, nodePaths, prepareNode } from './agent-process.ts';
import { apiServerCommand } from './apiserver-process.ts';
import { applyTopology } from './apply-topology.ts';
import type { BootTimeline } from './boot-timeline.ts';
import { awaitNodes, forgetReadiness, watchCluster } from './cluster-watch.ts';
import { type ControlRequest, type SupervisorStatus, serveControl } from './control-socket.ts';
import { type DnsProbeOptions, probeDns } from './dns-probe.ts';
import { bindDnsSockets } from './dns-sockets.ts';
import { LabError } from './errors.ts';
import { LISTENER_FD } from './holder.ts';
import { listenAt } from './inheritable-listener.ts';
import { type Kubelets, startKubelets } from './kubelets.ts';
import { openLabCgroups } from './lab-cgroups.ts';
import { LabProcesses } from './lab-processes.ts';
import { NodeAgent } from './node-agent.ts';
import { DEFAULT_LAB_OPTIONS, type LabOptions } from './options.ts';
import { type LabPaths, logPath } from './paths.ts';
import { type BootResult, type LabRecord, readRecord, writeRecord } from './records.ts';
import { requireMechanism } from './require-mechanism.ts';
import { switchProxy } from './switch-proxy.ts';
import { planTopology } from './topology.ts';

const BOOT_TIMEOUT_MS = 120_000;
const DNS_TIMEOUT_MS = 15_000;

export interface RunningLabDeps {
  readonly paths: LabPaths;
  /** The command that this program is run by. */
  readonly program: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly timeline: BootTimeline;
  readonly logger: Logger;
}

/** Everything that runs in a lab; what it started ends in reverse order. */
export class RunningLab implements AsyncDisposable {
  readonly #deps: RunningLabDeps;
  readonly #processes: LabProcesses;
  readonly #parts = new AsyncDisposableStack();
  readonly #nodes: NetworkNamespace[] = [];
  readonly #agents: NodeAgent[] = [];
  #switching: Promise<void> | undefined;
  #cgroups: Cgroups | undefined;

  constructor(deps: RunningLabDeps) {
    this.#deps = deps;
    this.#processes = new LabProcesses(deps.paths, deps.environment, deps.logger);
  }

  /** Rejects when a process ends again and again, with its last words. */
  get hopeless(): Promise<never> {
    return this.#processes.hopeless;
  }

  /**
   * @param credentials resolves when nodes' kubeconfigs and certificates are there
   * @param isNew nothing is stored of it yet
   * @throws LabError, KernelError; what has begun runs on until disposed
   */
  async boot(credentials: Promise<void>, isNew: boolean): Promise<BootResult> {
    const { paths, timeline, logger, program } = this.#deps;
    const { options } = this.#record();
    const names = nodeNames(options.nodes);
    const plans = addressPlans(options.ipFamily);
    const [plan] = plans;
    timeline.mark('supervisor runs');
    const kernel = linuxKernel();
    const topology = this.#parts.use(applyTopology(kernel, planTopology(options)));
    timeline.mark('network made');
    const [first = ''] = names;
    const asked = this.#requireProxy(options.proxy, topology.netns(first));
    await Promise.all([credentials.then(() => timeline.mark('credentials made')), asked]);
    for (const name of names) prepareNode(name, paths);
    this.#startApiServer(plans);
    for (const [index, name] of names.entries())
      this.#startAgent(name, nodeAddress(plan, index + 1), topology.netns(name), options);
    const cluster = this.#parts.use(await watchCluster(nodePaths(first).kubeconfig, logger));
    if (!isNew) await forgetReadiness(cluster.client);
    const cgroups = this.#parts.use(openLabCgroups(paths, logger));
    this.#cgroups = cgroups;
    const kubelets = this.#parts.use(
      await startKubelets({ options, paths, kernel, cgroups, program, logger }),
    );
    this.#parts.use(serveControl(paths.control, (request) => this.#answer(request, kubelets)));
    const nodes = await awaitNodes(cluster, names, timeline, BOOT_TIMEOUT_MS);
    const bootMilliseconds = timeline.mark('all nodes Ready');
    const dnsMilliseconds = await this.#probeDns({ kernel, plan, node: first, netns: topology.netns(first) });
    return { nodes, bootMilliseconds, dnsMilliseconds, marks: timeline.marks };
  }

  /** Ends the processes that write to the lab's directory, at once. */
  kill(): void {
    this.#processes.kill();
  }

  /** Ends what Pods run, and with it what the kernel would not remove by itself. */
  async endPods(): Promise<void> {
    await this.#cgroups?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  #record(): LabRecord {
    const { lab } = this.#deps.paths;
    const record = readRecord<LabRecord>(lab);
    if (record === undefined) throw new LabError(`${lab} is missing`);
    return record;
  }

  /**
   * A boot does not wait for the answer that a lab of the default mechanism would get, which is nearly always yes.
   * @throws LabError
   */
  async #requireProxy(proxy: ProxyMechanism, node: NetworkNamespace): Promise<void> {
    if (proxy !== DEFAULT_LAB_OPTIONS.proxy) await requireMechanism(this.#deps.program, node, proxy);
  }

  #startApiServer(plans: ReturnType<typeof addressPlans>): void {
    const { program, paths } = this.#deps;
    const server = this.#processes.start('apiserver', apiServerCommand(program, paths, plans), {
      // Connections wait in these sockets' queues until the server takes them.
      descriptors: async () => {
        const cluster = await listenAt(plans[0].routerOnLan, API_SERVER_PORT);
        return { fds: [LISTENER_FD, cluster.fd], [Symbol.dispose]: () => cluster[Symbol.dispose]() };
      },
    });
    this.#parts.use(server);
  }

  #startAgent(node: string, address: IpAddress, netns: NetworkNamespace, options: LabOptions): void {
    const { program, paths } = this.#deps;
    const name = `agent-${node}`;
    const [{ clusterDns }] = addressPlans(options.ipFamily);
    const { descriptors } = this.#parts.use(bindDnsSockets(netns, clusterDns));
    const command = (proxy: ProxyMechanism) => agentCommand(program, node, { ...options, proxy });
    const agent = this.#processes.start(name, command(options.proxy), {
      descriptors,
      within: (section) => netns.run(section),
    });
    this.#parts.use(agent);
    this.#nodes.push(netns);
    this.#agents.push(new NodeAgent(node, address, agent, logPath(paths, name), command));
  }

  /** When DNS answered in a Pod, milliseconds of the timeline; null when it did not in time, which is no failure of the boot. */
  async #probeDns(where: Omit<DnsProbeOptions, 'timeoutMs'>): Promise<number | null> {
    const { timeline, logger } = this.#deps;
    try {
      await probeDns({ ...where, timeoutMs: DNS_TIMEOUT_MS });
      return timeline.mark('DNS answers in a Pod');
    } catch (error) {
      logger.warn('DNS did not answer in a Pod', { error: errorMessage(error) });
      return null;
    }
  }

  async #answer(request: ControlRequest, kubelets: Kubelets): Promise<unknown> {
    switch (request.kind) {
      case 'status':
        return this.#status();
      case 'pod':
        return kubelets.podProcess(request);
      case 'proxy':
        return await this.#switchProxy(request.proxy);
    }
  }

  #status(): SupervisorStatus {
    return { processes: this.#processes.status(), marks: this.#deps.timeline.marks };
  }

  /** Has every node carry Services so, and stores it when all do. @throws LabError when one cannot, or a switch is under way */
  async #switchProxy(proxy: ProxyMechanism): Promise<void> {
    if (this.#switching !== undefined) throw new LabError('another command is switching the proxy');
    const record = this.#record();
    this.#switching = this.#switch(record.options.proxy, proxy);
    try {
      await this.#switching;
    } finally {
      this.#switching = undefined;
    }
    writeRecord(this.#deps.paths.lab, { ...record, options: { ...record.options, proxy } });
    this.#deps.logger.info('every node carries Services anew', { proxy });
  }

  async #switch(from: ProxyMechanism, to: ProxyMechanism): Promise<void> {
    // All nodes have one kernel.
    const [node] = this.#nodes;
    if (node !== undefined) await requireMechanism(this.#deps.program, node, to);
    await switchProxy(this.#agents, from, to);
  }
}
