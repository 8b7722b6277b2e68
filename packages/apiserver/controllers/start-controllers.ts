import { addressBits, parsePrefix, prefixFamily, prefixLength } from '#ip';
import { EventRecorder, type KubeClient } from '#kube-client';
import {
  type Clock,
  errorMessage,
  InvalidInputError,
  type Logger,
  type Random,
  systemRandom,
} from '#runtime';
import type { ControllerContext } from './base/context.ts';
import { createInformers } from './base/informers.ts';
import { startGarbageCollector } from './housekeeping/garbage-collector.ts';
import { startNamespaceController } from './housekeeping/namespace.ts';
import { startNamespaceDefaultsController } from './housekeeping/namespace-defaults.ts';
import { startEndpointsController } from './network/endpoints.ts';
import { startEndpointSliceController } from './network/endpointslice.ts';
import { startEndpointSliceMirroringController } from './network/endpointslice-mirroring.ts';
import { startNodeIpamController } from './nodes/node-ipam.ts';
import type { PodRange } from './nodes/node-ipam-plan.ts';
import { startNodeLifecycleController } from './nodes/node-lifecycle.ts';
import { startScheduler } from './nodes/scheduler.ts';
import { startDeploymentController } from './workloads/deployment.ts';
import { startReplicaSetController } from './workloads/replicaset.ts';

export interface ControllersConfig {
  /** The Pods' ranges, one a family: `10.244.0.0/16`. Every node gets a network of each. */
  readonly podCidrs: readonly string[];
  /** Prefix length of a node's network, by position in podCidrs; 24 and 64 unless told. */
  readonly nodeCidrMaskSizes?: readonly number[];
  /** PEM: what Pods find as kube-root-ca.crt. */
  readonly rootCa: string;
  /** A kubelet silent for so long is taken for gone. Milliseconds; 40 s unless told. */
  readonly nodeGraceMs?: number;
  /** How long Pods stay on a node that is not ready. Milliseconds; 5 minutes unless told. */
  readonly evictionMs?: number;
}

export interface ControllersDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: Random;
  readonly config: ControllersConfig;
}

/**
 * Starts the controllers that make a cluster live. They work through the API alone, so they may run anywhere; they begin
 * once their informers have synced. Disposing stops them and waits for what they are at.
 */
export function startControllers(deps: ControllersDeps): AsyncDisposable {
  const { client, clock, config } = deps;
  const logger = deps.logger.with({ component: 'controllers' });
  const ranges = podRanges(config);
  const shared = { client, clock, logger, random: deps.random ?? systemRandom };
  const informers = createInformers(client, { ...shared, retryMs: { first: 20, max: 2000 } });
  const recorders: EventRecorder[] = [];
  const contextOf = (component: string): ControllerContext => {
    const events = new EventRecorder(shared, { component });
    recorders.push(events);
    return { client, clock, logger, informers, events };
  };
  const running: AsyncDisposable[] = Object.values(informers);
  let stopped = false;
  const start = async () => {
    await Promise.all(Object.values(informers).map(({ synced }) => synced));
    if (stopped) return;
    running.push(
      startNodeIpamController(contextOf('node-ipam'), ranges),
      startNamespaceDefaultsController(contextOf('namespace-defaults'), config.rootCa),
      startNamespaceController(contextOf('namespace-controller')),
      startDeploymentController(contextOf('deployment-controller')),
      startReplicaSetController(contextOf('replicaset-controller')),
      startScheduler(contextOf('default-scheduler')),
      startEndpointSliceController(contextOf('endpoint-slice-controller')),
      startEndpointsController(contextOf('endpoint-controller')),
      startEndpointSliceMirroringController(contextOf('endpoint-slice-mirroring-controller')),
      startNodeLifecycleController(contextOf('node-controller'), {
        graceMs: config.nodeGraceMs ?? 40_000,
        evictionMs: config.evictionMs ?? 300_000,
      }),
      startGarbageCollector(contextOf('garbage-collector')),
    );
  };
  const started = start().catch((error: unknown) =>
    logger.error('the controllers did not start', { error: errorMessage(error) }),
  );
  return {
    async [Symbol.asyncDispose]() {
      stopped = true;
      // A synced that never comes must not hold us up.
      if (Object.values(informers).every(({ hasSynced }) => hasSynced)) await started;
      for (const one of running.toReversed()) await one[Symbol.asyncDispose]();
      await Promise.all(recorders.map((recorder) => recorder.flush()));
    },
  };
}

function podRanges({ podCidrs, nodeCidrMaskSizes = [] }: ControllersConfig): readonly PodRange[] {
  const ranges = podCidrs.map((text, index) => {
    const cidr = parsePrefix(text);
    const nodeLength = nodeCidrMaskSizes[index] ?? (prefixFamily(cidr) === 'IPv4' ? 24 : 64);
    if (nodeLength < prefixLength(cidr) || nodeLength > addressBits(prefixFamily(cidr)))
      throw new InvalidInputError(
        'nodeCidrMaskSizes',
        nodeLength,
        `no network of this length lies in ${cidr}`,
      );
    return { cidr, nodeLength };
  });
  if (new Set(ranges.map(({ cidr }) => prefixFamily(cidr))).size < ranges.length)
    throw new InvalidInputError('podCidrs', podCidrs, 'at most one range a family');
  return ranges;
}
