import { isReady, readySince, type StoredPod } from '../base/pods.ts';

const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost';

/**
 * The order in which a ReplicaSet gives up its Pods, the first to go first: those without a node, then not yet running,
 * not ready, cheaper by their deletion cost, sharing their node with more of the same owner, ready for less long,
 * restarted more, newer. Source: kubernetes pkg/controller/controller_utils.go, ActivePodsWithRanks.
 */
export function deletionOrder(pods: readonly StoredPod[]): readonly StoredPod[] {
  const onNode = new Map<string, number>();
  for (const pod of pods) {
    const node = pod.spec?.nodeName ?? '';
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const keys = new Map(pods.map((pod) => [pod, rank(pod, onNode.get(pod.spec?.nodeName ?? '') ?? 0)]));
  return pods.toSorted((a, b) => compare(keys.get(a) ?? [], keys.get(b) ?? []));
}

/** Smaller goes first, at the first place that differs. */
function rank(pod: StoredPod, neighbours: number): readonly (number | string)[] {
  return [
    pod.spec?.nodeName ? 1 : 0,
    PHASES.indexOf(pod.status?.phase ?? 'Pending'),
    isReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.[DELETION_COST] ?? 0) || 0,
    -neighbours,
    -(readySince(pod) ?? 0),
    -Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount)),
    -Date.parse(pod.metadata.creationTimestamp),
    pod.metadata.name,
  ];
}

const PHASES: readonly string[] = ['Pending', 'Unknown', 'Running'];

function compare(a: readonly (number | string)[], b: readonly (number | string)[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index] ?? 0;
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
