import { formatTime, type Lease, type Node, type NodeCondition, type Taint } from '#kube-api';
import type { StoredPod } from '../base/pods.ts';
import type { Stored } from '../base/stored.ts';
import { tolerates } from './taints.ts';

export interface NodeHealthConfig {
  /** A kubelet that renewed nothing for so long is gone. Milliseconds. */
  readonly graceMs: number;
  /** How long Pods that say nothing themselves stay on a node that is not ready. Milliseconds. */
  readonly evictionMs: number;
}

export interface NodeHealthPlan {
  /** The Ready condition and its fellows, where the kubelet no longer speaks for itself. */
  readonly conditions: readonly NodeCondition[] | undefined;
  readonly taints: readonly Taint[] | undefined;
  /** Pods that no longer tolerate being here. */
  readonly evict: readonly StoredPod[];
  /** Pods of which nobody knows any more whether they are ready. */
  readonly unknown: readonly StoredPod[];
  readonly lookAgainIn: number | undefined;
}

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';
const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';
const OURS: ReadonlySet<string> = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE]);

/** `heardAt`: when a change of the node or its Lease was last seen, by our clock, so that no kubelet's clock matters. */
export function planNodeHealth(
  node: Stored<Node>,
  pods: readonly StoredPod[],
  heardAt: number,
  now: number,
  config: NodeHealthConfig,
): NodeHealthPlan {
  const silentFor = now - heardAt;
  const silent = silentFor >= config.graceMs;
  const held = node.status?.conditions ?? [];
  const conditions = silent ? held.map((condition) => unknown(condition, now)) : held;
  const ready = conditions.find(({ type }) => type === 'Ready')?.status;
  const taints = taintsFor(node, ready, now);
  const evictions = pods
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map((pod) => ({ pod, in: evictionIn(pod, taints, now, config) }))
    .filter((eviction): eviction is { pod: StoredPod; in: number } => eviction.in !== undefined);
  const waits = [...evictions.map((eviction) => eviction.in), config.graceMs - silentFor].filter(
    (wait) => wait > 0,
  );
  return {
    conditions: conditions.some((condition, index) => condition !== held[index]) ? conditions : undefined,
    taints: sameTaints(taints, node.spec?.taints ?? []) ? undefined : taints,
    evict: evictions.filter((eviction) => eviction.in <= 0).map(({ pod }) => pod),
    unknown:
      ready === 'Unknown'
        ? pods.filter(({ status }) =>
            status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True'),
          )
        : [],
    lookAgainIn: waits.length === 0 ? undefined : Math.min(...waits),
  };
}

/** The Lease that the kubelet of a node renews: what it says, and nothing of when by whose clock. */
export function heartbeatOf(node: Stored<Node> | undefined, lease: Stored<Lease> | undefined): string {
  const times = (node?.status?.conditions ?? []).map(
    ({ lastHeartbeatTime, status }) => `${status} ${lastHeartbeatTime}`,
  );
  return [lease?.spec?.renewTime, ...times].join();
}

function unknown(condition: NodeCondition, now: number): NodeCondition {
  if (condition.status === 'Unknown') return condition;
  return {
    ...condition,
    status: 'Unknown',
    reason: 'NodeStatusUnknown',
    message: 'Kubelet stopped posting node status.',
    lastTransitionTime: formatTime(now),
  };
}

function taintsFor(node: Stored<Node>, ready: string | undefined, now: number): readonly Taint[] {
  const held = node.spec?.taints ?? [];
  // A node that never said whether it is ready has only just come; the scheduler leaves it alone anyway.
  const key = ready === 'Unknown' ? UNREACHABLE : ready === 'False' ? NOT_READY : undefined;
  const wanted: readonly Taint[] = [
    ...(node.spec?.unschedulable ? [{ key: UNSCHEDULABLE, effect: 'NoSchedule' }] : []),
    ...(key === undefined ? [] : ['NoSchedule', 'NoExecute'].map((effect) => ({ key, effect }))),
  ];
  const same = (a: Taint) => (b: Taint) => a.key === b.key && a.effect === b.effect;
  return [
    ...held.filter((taint) => !OURS.has(taint.key)),
    ...wanted.map((taint) => held.find(same(taint)) ?? { ...taint, timeAdded: formatTime(now) }),
  ];
}

/** Milliseconds until the Pod must go; undefined when it may stay. */
function evictionIn(
  { spec }: StoredPod,
  taints: readonly Taint[],
  now: number,
  { evictionMs }: NodeHealthConfig,
): number | undefined {
  const waits = taints
    .filter(({ effect }) => effect === 'NoExecute')
    .flatMap((taint) => {
      const matching = (spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
      const since = Date.parse(taint.timeAdded ?? '') || now;
      if (matching.length === 0) return OURS.has(taint.key) ? since + evictionMs - now : 0;
      const limits = matching.flatMap(({ tolerationSeconds }) => tolerationSeconds ?? []);
      return limits.length < matching.length ? [] : since + Math.min(...limits) * 1000 - now;
    });
  return waits.length === 0 ? undefined : Math.min(...waits);
}

function sameTaints(a: readonly Taint[], b: readonly Taint[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ key, effect }) => b.some((taint) => taint.key === key && taint.effect === effect))
  );
}
