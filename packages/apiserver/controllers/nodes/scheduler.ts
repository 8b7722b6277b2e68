import { formatTime, objectReference, PODS, transitionTime } from '#kube-api';
import { isConflict, isNotFound, unlessGone } from '#kube-client';
import { Reconciler } from '#runtime';
import type { ControllerContext } from '../base/context.ts';
import { each } from '../base/keyed-controller.ts';
import type { StoredPod } from '../base/pods.ts';
import { nameOf, storedResource } from '../base/stored.ts';
import { planScheduling, waits } from './scheduler-plan.ts';

/** Binds Pods to nodes. */
export function startScheduler(context: ControllerContext): AsyncDisposable {
  const { client, informers, events, clock, logger } = context;
  const { pods, nodes } = informers;
  const resource = storedResource(PODS);

  // One Pod that cannot be bound must not keep the others waiting for long.
  const retryMs = { first: 20, max: 1000 };
  const reconciler = new Reconciler({ name: 'scheduler', clock, logger, retryMs }, async () => {
    const decisions = planScheduling(pods.list(), nodes.list());
    const results = await Promise.allSettled(
      decisions.map((decision) =>
        decision.node === undefined
          ? tellUnschedulable(decision.pod, decision.reason)
          : bind(decision.pod, decision.node),
      ),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  });

  async function bind(pod: StoredPod, node: string): Promise<void> {
    const { name, namespace, uid } = pod.metadata;
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, uid },
      target: { apiVersion: 'v1', kind: 'Node', name: node },
    };
    try {
      await client.post(resource, nameOf(pod), 'binding', binding);
      pods.learn(await client.get(resource, nameOf(pod)));
      events.record(
        objectReference(pod),
        'Normal',
        'Scheduled',
        `Successfully assigned ${namespace}/${name} to ${node}`,
      );
    } catch (error) {
      // It is gone, or bound already: the informer will tell.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  async function tellUnschedulable(pod: StoredPod, message: string): Promise<void> {
    const conditions = pod.status?.conditions ?? [];
    const held = conditions.find(({ type }) => type === 'PodScheduled');
    if (held?.status === 'False' && held.message === message) return;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
      lastTransitionTime: transitionTime(held, 'False', formatTime(clock.now())),
    };
    const status = { conditions: [...conditions.filter((one) => one !== held), condition] };
    const body = { metadata: { uid: pod.metadata.uid }, status };
    await unlessGone(async () => {
      pods.learn(await client.patch(resource, nameOf(pod), 'merge', body, 'status'));
      events.record(objectReference(pod), 'Warning', 'FailedScheduling', message);
    });
  }

  const subscriptions = [
    each(pods, (current, old) => {
      if (current === undefined || waits(current) || (old !== undefined && waits(old))) reconciler.trigger();
    }),
    // Heartbeats change nothing that a Pod waits for.
    nodes.onChange((current, old) => {
      if (fingerprint(current) !== fingerprint(old)) reconciler.trigger();
    }),
  ];
  return {
    async [Symbol.asyncDispose]() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]();
      await reconciler[Symbol.asyncDispose]();
    },
  };
}

/** What scheduling reads of a node, as text. */
function fingerprint(node: ReturnType<ControllerContext['informers']['nodes']['get']>): string {
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  return JSON.stringify([node?.spec, node?.metadata.labels, ready]);
}
