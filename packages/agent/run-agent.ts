import { takeInheritedSockets } from '#dns';
import { linuxKernel } from '#kernel';
import { createKubeClient, loadClientConfig } from '#kube-client';
import { errorMessage, InvalidInputError, type Logger, streamLogger, systemClock } from '#runtime';
import { PROXY_MECHANISMS } from '#service-proxy';
import { startAgent } from './agent.ts';
import { cleanUpNode } from './clean-up.ts';
import { AGENT_HELP } from './help.ts';
import { type AgentCommand, type AgentOptions, parseAgentOptions } from './options.ts';
import { logMechanisms, probeMechanisms } from './services.ts';
import { releaseStartupMemory } from './startup-memory.ts';

/** By then the cluster is listed and its rules are made. */
const SETTLED_MS = 10_000;

/** `podway agent`: runs until SIGTERM or SIGINT. @returns the exit status */
export async function runAgent(args: readonly string[]): Promise<number> {
  try {
    const command = parseAgentOptions(args);
    switch (command.kind) {
      case 'help':
        process.stdout.write(AGENT_HELP);
        return 0;
      case 'probe':
        return await tellMechanisms(command);
      case 'cleanup':
        await cleanUpNode(command.options, {
          kernel: linuxKernel(),
          logger: streamLogger(command.options.logLevel),
        });
        return 0;
      case 'run':
        await run(command.options);
        return 0;
    }
  } catch (error) {
    process.stderr.write(`podway agent: ${errorMessage(error)}\n`);
    return error instanceof InvalidInputError ? 2 : 1;
  }
}

/** A line for each mechanism; what one lacks is indented below it. @returns the exit status: 1 when the one that was asked for lacks anything */
async function tellMechanisms({
  mechanism,
  options,
}: Extract<AgentCommand, { readonly kind: 'probe' }>): Promise<number> {
  using netns = linuxKernel().currentNetns();
  const deps = { ...{ netns, ...options }, clock: systemClock, logger: streamLogger('warn') };
  const found = await probeMechanisms(deps, mechanism === undefined ? PROXY_MECHANISMS : [mechanism]);
  const lines = [...found].flatMap(([name, missing]) => [
    `${name.padEnd(10)}  ${missing.length === 0 ? 'yes' : 'no'}`,
    ...missing.map((reason) => `            ${reason}`),
  ]);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
  return mechanism === undefined || found.get(mechanism)?.length === 0 ? 0 : 1;
}

/** What need not be done while the node waits for its network. */
async function settle({ proxy, iptablesVariant, ipvs }: AgentOptions, logger: Logger): Promise<void> {
  using netns = linuxKernel().currentNetns();
  await logMechanisms(proxy, { netns, iptablesVariant, ipvs, clock: systemClock, logger }).catch(
    (error: unknown) =>
      logger.warn('what this machine offers cannot be told', { error: errorMessage(error) }),
  );
  releaseStartupMemory();
}

async function run(options: AgentOptions): Promise<void> {
  const logger = streamLogger(options.logLevel);
  const { promise: stopped, resolve: stop } = Promise.withResolvers<NodeJS.Signals>();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  const config = await loadClientConfig(options.kubeconfig);
  using client = createKubeClient(config, {}, { userAgent: 'podway-agent' });
  await using _agent = await startAgent(options, {
    kernel: linuxKernel(),
    client,
    clock: systemClock,
    logger,
    sockets: takeInheritedSockets(process.env, process.pid),
  });
  logger.info('the agent runs', { node: options.nodeName });
  using _settled = systemClock.setTimer(SETTLED_MS, () => void settle(options, logger), { unref: true });
  logger.info('the agent ends; traffic goes on', { signal: await stopped });
}
