import { formatTime, NODES, objectReference, PODS } from '#kube-api';
import { unlessGone } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { each, startKeyedController } from '../base/keyed-controller.ts';
import type { StoredPod } from '../base/pods.ts';
import { nameOf, storedResource } from '../base/stored.ts';
import { heartbeatOf, type NodeHealthConfig, planNodeHealth } from './node-health-plan.ts';

const LEASE_NAMESPACE = 'kube-node-lease';

/** Tells when a node's kubelet went silent, taints nodes by their conditions, moves Pods away, removes those of lost nodes. */
export function startNodeLifecycleController(
  context: ControllerContext,
  config: NodeHealthConfig,
): AsyncDisposable {
  const { client, informers, events, clock } = context;
  const { nodes, leases, pods } = informers;
  const missingSince = new Map<string, number>();
  const heard = new Map<string, { readonly beat: string; readonly at: number }>();

  async function reconcile(name: string): Promise<number | undefined> {
    const node = nodes.get(name);
    const here = pods.byIndex('node', name);
    const now = clock.now();
    if (node === undefined) return removeLost(name, here, now);
    missingSince.delete(name);
    const beat = heartbeatOf(node, leases.get(`${LEASE_NAMESPACE}/${name}`));
    if (heard.get(name)?.beat !== beat) heard.set(name, { beat, at: now });
    const plan = planNodeHealth(node, here, heard.get(name)?.at ?? now, now, config);
    if (plan.conditions !== undefined) {
      const body = { metadata: { uid: node.metadata.uid }, status: { conditions: plan.conditions } };
      const written = await client.patch(storedResource(NODES), { name }, 'merge', body, 'status');
      heard.set(name, {
        beat: heartbeatOf(written, leases.get(`${LEASE_NAMESPACE}/${name}`)),
        at: heard.get(name)?.at ?? now,
      });
      nodes.learn(written);
      events.record(
        objectReference(node),
        'Normal',
        'NodeNotReady',
        `Node ${name} status is now: NodeNotReady`,
      );
    }
    if (plan.taints !== undefined) {
      const spec = { taints: plan.taints.length === 0 ? null : plan.taints };
      const { resourceVersion } = nodes.get(name)?.metadata ?? node.metadata;
      nodes.learn(
        await client.patch(storedResource(NODES), { name }, 'merge', { metadata: { resourceVersion }, spec }),
      );
    }
    await Promise.all([...plan.unknown.map(markNotReady), ...plan.evict.map((pod) => evict(pod, name))]);
    return plan.lookAgainIn;
  }

  /** A node that is not there may yet come (or come back); when it does not, its Pods are nobody's. */
  async function removeLost(
    name: string,
    here: readonly StoredPod[],
    now: number,
  ): Promise<number | undefined> {
    heard.delete(name);
    if (here.length === 0) {
      missingSince.delete(name);
      return undefined;
    }
    const since = missingSince.get(name) ?? now;
    missingSince.set(name, since);
    const wait = since + config.graceMs - now;
    if (wait > 0) return wait;
    await Promise.all(here.map((pod) => remove(pod, 0)));
    return undefined;
  }

  async function markNotReady(pod: StoredPod): Promise<void> {
    const conditions = (pod.status?.conditions ?? []).map((condition) =>
      condition.type === 'Ready'
        ? {
            ...condition,
            status: 'False',
            reason: 'NodeNotReady',
            lastTransitionTime: formatTime(clock.now()),
          }
        : condition,
    );
    await unlessGone(async () => {
      const body = { metadata: { uid: pod.metadata.uid }, status: { conditions } };
      pods.learn(await client.patch(storedResource(PODS), nameOf(pod), 'merge', body, 'status'));
      events.record(objectReference(pod), 'Warning', 'NodeNotReady', 'Node is not ready');
    });
  }

  async function evict(pod: StoredPod, node: string): Promise<void> {
    events.record(
      objectReference(pod),
      'Normal',
      'TaintManagerEviction',
      `Marking for deletion Pod ${pod.metadata.namespace}/${pod.metadata.name}: node ${node} is not ready`,
    );
    await remove(pod);
  }

  function remove(pod: StoredPod, gracePeriodSeconds?: number): Promise<void> {
    const preconditions = { uid: pod.metadata.uid };
    const grace = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds };
    return unlessGone(() => client.delete(PODS, nameOf(pod), { preconditions, ...grace }));
  }

  return startKeyedController(context, 'node-lifecycle', reconcile, (trigger) => [
    each(nodes, (current, old) => {
      const changed = current ?? old;
      if (changed !== undefined) trigger(changed.metadata.name);
    }),
    each(leases, (current) => {
      if (current?.metadata.namespace === LEASE_NAMESPACE) trigger(current.metadata.name);
    }),
    each(pods, (current, old) => {
      const node = current?.spec?.nodeName;
      if (node && node !== old?.spec?.nodeName) trigger(node);
    }),
  ]);
}
