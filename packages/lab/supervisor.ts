import { rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, dirname } from 'node:path';
import type { Cgroups } from '#cgroup';
import { linuxKernel } from '#kernel';
import { errorMessage, type Logger, streamLogger, systemClock } from '#runtime';
import type { ProxyMechanism } from '#service-proxy';
import { API_SERVER_PORT, addressPlans, nodeAddress, nodeNames } from './addresses.ts';
import { agentCommand, nodePaths, prepareNode } from './agent-process.ts';
import { apiServerCommand } from './apiserver-process.ts';
import { applyTopology } from './apply-topology.ts';
import { type CredentialsMessage, receiveMessages, sendMessage } from './boot-channel.ts';
import { BootTimeline } from './boot-timeline.ts';
import { awaitNodes, forgetReadiness, watchCluster } from './cluster-watch.ts';
import { type SupervisorStatus, serveControl } from './control-socket.ts';
import { probeDns } from './dns-probe.ts';
import { bindDnsSockets } from './dns-sockets.ts';
import { LabError } from './errors.ts';
import { CHANNEL_FD, LISTENER_FD } from './holder.ts';
import { listenAt } from './inheritable-listener.ts';
import { startKubelets } from './kubelets.ts';
import { openLabCgroups } from './lab-cgroups.ts';
import { lastWords } from './last-words.ts';
import { NodeAgent } from './node-agent.ts';
import { type LabPaths, labPaths, logPath } from './paths.ts';
import { type BootResult, type LabRecord, readRecord, writeRecord } from './records.ts';
import { SupervisedProcess } from './supervised-process.ts';
import { parseSupervisorOptions } from './supervisor-options.ts';
import { switchProxy } from './switch-proxy.ts';
import { planTopology } from './topology.ts';

const BOOT_TIMEOUT_MS = 120_000;
const DNS_TIMEOUT_MS = 15_000;
/** A process that has ended so often before the lab is ready will not help to make it so. */
const ENDS_TOO_OFTEN = 3;

/**
 * `podway lab-supervisor`: runs one lab, inside the namespaces that `up` made for it. Before the lab is ready the end
 * of the `up` command is the end of the lab; after, SIGTERM is. @returns the exit status
 */
export async function runLabSupervisor(
  args: readonly string[],
  program: readonly string[],
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const { directory, startedAt, isNew } = parseSupervisorOptions(args);
  const paths = labPaths(dirname(directory), basename(directory));
  const logger = streamLogger();
  const channel = new Socket({ fd: CHANNEL_FD });
  const timeline = new BootTimeline(startedAt, systemClock, (mark) =>
    sendMessage(channel, { kind: 'mark', mark }),
  );
  const stopped = Promise.withResolvers<string>();
  const leash = Promise.withResolvers<never>();
  const credentials = Promise.withResolvers<void>();
  receiveMessages<CredentialsMessage>(
    channel,
    () => credentials.resolve(),
    () => leash.reject(new LabError('the command that was starting the lab ended')),
  );
  // Once ready nobody waits for the leash any more.
  leash.promise.catch(() => {});
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopped.resolve(signal));

  const lab = new Lab(paths, program, environment, timeline, logger);
  try {
    const interrupted = stopped.promise.then((signal) => Promise.reject(new LabError(`ended by ${signal}`)));
    const boot = await Promise.race([
      lab.boot(credentials.promise, isNew),
      lab.hopeless,
      leash.promise,
      interrupted,
    ]);
    writeRecord(paths.boot, boot);
    sendMessage(channel, { kind: 'ready', boot });
    channel.end();
    logger.info('the lab is ready', { milliseconds: boot.bootMilliseconds });
  } catch (error) {
    logger.error('the lab did not come up', { error: errorMessage(error), cause: causeOf(error) });
    lab.kill();
    await lab.endPods();
    if (isNew) rmSync(paths.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
    await failed(channel, describe(error));
    return 1;
  }
  const signal = await stopped.promise;
  logger.info('the lab ends', { signal });
  await lab[Symbol.asyncDispose]();
  return 0;
}

/** Everything that runs in a lab; what it started ends in reverse order. */
class Lab implements AsyncDisposable {
  readonly #paths: LabPaths;
  readonly #program: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;
  readonly #timeline: BootTimeline;
  readonly #logger: Logger;
  readonly #processes: SupervisedProcess[] = [];
  readonly #parts = new AsyncDisposableStack();
  readonly #agents: NodeAgent[] = [];
  readonly #hopeless = Promise.withResolvers<never>();
  #switching: Promise<void> | undefined;
  #cgroups: Cgroups | undefined;

  constructor(
    paths: LabPaths,
    program: readonly string[],
    environment: NodeJS.ProcessEnv,
    timeline: BootTimeline,
    logger: Logger,
  ) {
    this.#paths = paths;
    this.#program = program;
    this.#environment = environment;
    this.#timeline = timeline;
    this.#logger = logger;
    // Once it is ready nobody waits for this any more.
    this.hopeless.catch(() => {});
  }

  /** Rejects when a process ends again and again, with its last words. */
  get hopeless(): Promise<never> {
    return this.#hopeless.promise;
  }

  async boot(credentials: Promise<void>, isNew: boolean): Promise<BootResult> {
    const record = readRecord<LabRecord>(this.#paths.lab);
    if (record === undefined) throw new LabError(`${this.#paths.lab} is missing`);
    const names = nodeNames(record.options.nodes);
    const plans = addressPlans(record.options.ipFamily);
    const [plan] = plans;
    this.#timeline.mark('supervisor runs');
    const kernel = linuxKernel();
    const topology = this.#parts.use(applyTopology(kernel, planTopology(record.options)));
    this.#timeline.mark('network made');
    await credentials;
    this.#timeline.mark('credentials made');
    for (const name of names) prepareNode(name, this.#paths);
    this.#start('apiserver', apiServerCommand(this.#program, this.#paths, plans), {
      // Connections wait in these sockets' queues until the server takes them.
      descriptors: async () => {
        const cluster = await listenAt(plan.routerOnLan, API_SERVER_PORT);
        return { fds: [LISTENER_FD, cluster.fd], [Symbol.dispose]: () => cluster[Symbol.dispose]() };
      },
    });
    for (const [index, name] of names.entries()) {
      const netns = topology.netns(name);
      const { descriptors } = this.#parts.use(bindDnsSockets(netns, plan.clusterDns));
      const command = (proxy: ProxyMechanism) =>
        agentCommand(this.#program, name, { ...record.options, proxy });
      const agent = this.#start(`agent-${name}`, command(record.options.proxy), {
        descriptors,
        within: (section) => netns.run(section),
      });
      const log = logPath(this.#paths, `agent-${name}`);
      this.#agents.push(new NodeAgent(name, nodeAddress(plan, index + 1), agent, log, command));
    }
    const [first = ''] = names;
    const cluster = this.#parts.use(await watchCluster(nodePaths(first).kubeconfig, this.#logger));
    if (!isNew) await forgetReadiness(cluster.client);
    this.#cgroups = this.#parts.use(openLabCgroups(this.#paths, this.#logger));
    const kubelets = this.#parts.use(
      await startKubelets({
        options: record.options,
        paths: this.#paths,
        kernel,
        cgroups: this.#cgroups,
        program: this.#program,
        logger: this.#logger,
      }),
    );
    this.#parts.use(
      serveControl(this.#paths.control, async (request) => {
        switch (request.kind) {
          case 'status':
            return this.status();
          case 'pod':
            return kubelets.podProcess(request);
          case 'proxy':
            return await this.#switchProxy(request.proxy);
        }
      }),
    );
    const nodes = await awaitNodes(cluster, names, this.#timeline, BOOT_TIMEOUT_MS);
    const bootMilliseconds = this.#timeline.mark('all nodes Ready');
    const dnsMilliseconds = await probeDns({
      kernel,
      plan,
      node: first,
      netns: topology.netns(first),
      timeoutMs: DNS_TIMEOUT_MS,
    }).then(
      () => this.#timeline.mark('DNS answers in a Pod'),
      (error: unknown) => {
        this.#logger.warn('DNS did not answer in a Pod', { error: errorMessage(error) });
        return null;
      },
    );
    return { nodes, bootMilliseconds, dnsMilliseconds, marks: this.#timeline.marks };
  }

  status(): SupervisorStatus {
    return { processes: this.#processes.map((each) => each.status()), marks: this.#timeline.marks };
  }

  /** Has every node carry Services so, and stores it when all do. @throws LabError when one cannot, or a switch is under way */
  async #switchProxy(proxy: ProxyMechanism): Promise<void> {
    if (this.#switching !== undefined) throw new LabError('another command is switching the proxy');
    const record = readRecord<LabRecord>(this.#paths.lab);
    if (record === undefined) throw new LabError(`${this.#paths.lab} is missing`);
    this.#switching = switchProxy(this.#agents, record.options.proxy, proxy);
    try {
      await this.#switching;
    } finally {
      this.#switching = undefined;
    }
    writeRecord(this.#paths.lab, { ...record, options: { ...record.options, proxy } });
    this.#logger.info('every node carries Services anew', { proxy });
  }

  /** Ends the processes that write to the lab's directory, at once. */
  kill(): void {
    for (const each of this.#processes) each.kill();
  }

  /** Ends what Pods run, and with it what the kernel would not remove by itself. */
  async endPods(): Promise<void> {
    await this.#cgroups?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  #start(
    name: string,
    command: readonly string[],
    how: Pick<ConstructorParameters<typeof SupervisedProcess>[0], 'descriptors' | 'within'>,
  ): SupervisedProcess {
    const log = logPath(this.#paths, name);
    let ends = 0;
    const started = new SupervisedProcess({
      name,
      command,
      environment: this.#environment,
      log,
      logger: this.#logger,
      onEnd: (reason) => {
        if (++ends === ENDS_TOO_OFTEN)
          this.#hopeless.reject(new LabError(`${name} ends again and again (${reason}): ${lastWords(log)}`));
      },
      ...how,
    });
    this.#processes.push(started);
    return this.#parts.use(started);
  }
}

/** The error and what lay under it, for a person. */
function describe(error: unknown): string {
  const cause = causeOf(error);
  return cause === undefined ? errorMessage(error) : `${errorMessage(error)}: ${cause}`;
}

function causeOf(error: unknown): string | undefined {
  return error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : undefined;
}

/** Tells `up`, if it is still there. */
function failed(channel: Socket, message: string): Promise<void> {
  if (channel.destroyed) return Promise.resolve();
  sendMessage(channel, { kind: 'failed', message });
  return new Promise((resolve) => {
    channel.once('close', () => resolve());
    channel.end();
  });
}
