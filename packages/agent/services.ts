import { LoopbackRouting } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import type { Informer } from '#kube-client';
import { PodwayError } from '#runtime';
import {
  createBackend,
  createServiceProxy,
  HealthCheckServers,
  type MechanismDeps,
  nodePortAddresses,
  otherMechanisms,
  PROXY_MECHANISMS,
  type ProxyMechanism,
  type ServiceProxy,
  type SyncReport,
} from '#service-proxy';
import { hostAddresses } from './host-addresses.ts';
import { keepLoopbackNodePorts } from './loopback-node-ports.ts';
import type { AgentOptions } from './options.ts';

/** Not there in a kernel without IPv6; 1 where it was switched off for all links. */
const IPV6_SWITCH = 'net.ipv6.conf.lo.disable_ipv6';

/** This machine cannot carry Services in the way that was asked for. */
class MechanismUnavailableError extends PodwayError {
  readonly code = 'MechanismUnavailable';
  constructor(mechanism: ProxyMechanism, missing: readonly string[], others: readonly ProxyMechanism[]) {
    const instead = others.length === 0 ? 'nor in any other way' : `but with --proxy ${others.join(' or ')}`;
    super(`--proxy ${mechanism}: this machine cannot carry Services so (${missing.join('; ')}), ${instead}`);
  }
}

export interface ServicesDeps extends MechanismDeps {
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  readonly nodes: Informer<Node>;
  /** Whether load balancers may send traffic here. */
  readonly isHealthy: () => boolean;
  readonly onSync: (report: SyncReport) => void;
  readonly onFailure: () => void;
}

/**
 * Carries Services by a mechanism; what another one has left goes once it serves.
 * @param stack ends it
 * @throws MechanismUnavailableError when this machine has no such mechanism; nothing is changed then
 */
export async function startServices(
  mechanism: ProxyMechanism,
  options: AgentOptions,
  deps: ServicesDeps,
  stack: AsyncDisposableStack,
): Promise<ServiceProxy> {
  const { netns, clock, logger, isHealthy, ...watched } = deps;
  const machine = { netns, clock, logger, iptablesVariant: options.iptablesVariant, ipvs: options.ipvs };
  const create = (name: ProxyMechanism) => stack.use(createBackend(name, machine));
  const backend = create(mechanism);
  const missing = await backend.probe();
  if (missing.length > 0)
    throw new MechanismUnavailableError(mechanism, missing, await usableMechanisms(machine));
  keepLoopbackNodePorts(options.nodePortAddresses, deps, stack);
  const healthChecks = stack.use(new HealthCheckServers(logger.with({ part: 'health-checks' }), isHealthy));
  return stack.use(
    createServiceProxy(
      {
        ...watched,
        backend,
        predecessors: otherMechanisms(mechanism).map(create),
        conntrack: netns.conntrack,
        healthChecks,
        logger,
        clock,
      },
      {
        nodeName: options.nodeName,
        clusterCIDRs: options.clusterCidrs,
        serviceCIDRs: options.serviceCidrs,
        localAddresses: options.clusterDns,
        hasFamily: (family) => family === 'IPv4' || netns.sysctl.get(IPV6_SWITCH) === '0',
        nodePortAddresses: (primary) =>
          nodePortAddresses(options.nodePortAddresses, primary, () => hostAddresses(netns)),
      },
    ),
  );
}

/** What mechanisms lack here, in plain words; nothing: one can carry Services. Leaves nothing behind. */
export async function probeMechanisms(
  deps: MechanismDeps,
  mechanisms: readonly ProxyMechanism[] = PROXY_MECHANISMS,
): Promise<ReadonlyMap<ProxyMechanism, readonly string[]>> {
  const found = new Map<ProxyMechanism, readonly string[]>();
  for (const name of mechanisms) {
    await using backend = createBackend(name, deps);
    found.set(name, await backend.probe());
  }
  return found;
}

/** The ways to carry Services that this machine has, in the log; for the others, what they lack. */
export async function logMechanisms(inUse: ProxyMechanism | 'none', deps: MechanismDeps): Promise<void> {
  const found = [...(await probeMechanisms(deps))].map(([name, missing]) => [
    name,
    name === inUse ? 'in use' : missing.length === 0 ? 'possible' : `not possible: ${missing.join('; ')}`,
  ]);
  deps.logger.info('ways to carry Services on this machine (--proxy)', Object.fromEntries(found));
}

async function usableMechanisms(deps: MechanismDeps): Promise<readonly ProxyMechanism[]> {
  return [...(await probeMechanisms(deps))]
    .filter(([, missing]) => missing.length === 0)
    .map(([name]) => name);
}

/** Removes what any mechanism has ever written. */
export async function removeServices(deps: MechanismDeps): Promise<void> {
  for (const name of PROXY_MECHANISMS) {
    await using backend = createBackend(name, deps);
    await backend.cleanup();
  }
  await new LoopbackRouting(deps.netns).remove();
}
