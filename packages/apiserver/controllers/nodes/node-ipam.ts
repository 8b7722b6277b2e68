import { NODES, objectReference } from '#kube-api';
import { Reconciler } from '#runtime';
import type { ControllerContext } from '../base/context.ts';
import { each } from '../base/keyed-controller.ts';
import { storedResource } from '../base/stored.ts';
import { type PodRange, planNodeIpam } from './node-ipam-plan.ts';

/** Gives every node its Pod networks, one a family. */
export function startNodeIpamController(
  context: ControllerContext,
  ranges: readonly PodRange[],
): AsyncDisposable {
  const { client, informers, events, clock, logger } = context;
  const { nodes } = informers;
  const reconciler = new Reconciler({ name: 'node-ipam', clock, logger }, async () => {
    const plan = planNodeIpam(ranges, nodes.list());
    for (const [name, podCIDRs] of plan.assign) {
      const [podCIDR] = podCIDRs;
      const spec = { podCIDR, podCIDRs };
      nodes.learn(await client.patch(storedResource(NODES), { name }, 'merge', { spec }));
    }
    for (const name of plan.without) {
      const node = nodes.get(name);
      if (node !== undefined)
        events.record(
          objectReference(node),
          'Warning',
          'CIDRNotAvailable',
          `Node ${name} status is now: CIDRNotAvailable`,
        );
    }
  });
  const subscription = each(nodes, (current, old) => {
    if (current === undefined || old === undefined) reconciler.trigger();
  });
  return {
    async [Symbol.asyncDispose]() {
      subscription[Symbol.dispose]();
      await reconciler[Symbol.asyncDispose]();
    },
  };
}
