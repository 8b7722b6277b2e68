import { controllerOf, matchesLabelSelector, type ReplicaSet, type ReplicaSetStatus } from '#kube-api';
import { availableAt, isActive, isReady, type StoredPod } from '../base/pods.ts';
import type { Stored } from '../base/stored.ts';
import { nonZero } from './counts.ts';
import { deletionOrder } from './deletion-order.ts';

export interface ReplicaSetPlan {
  /** Pods without a controller that match the selector. */
  readonly adopt: readonly StoredPod[];
  /** Own Pods that no longer match it. */
  readonly release: readonly StoredPod[];
  /** How many Pods to make. */
  readonly create: number;
  readonly remove: readonly StoredPod[];
  readonly status: ReplicaSetStatus;
  /** Milliseconds until a Pod that is ready now counts as available. */
  readonly lookAgainIn: number | undefined;
}

/** What a ReplicaSet wants of the Pods of its namespace. `now`: milliseconds since the epoch. */
export function planReplicaSet(
  replicaSet: Stored<ReplicaSet>,
  pods: readonly StoredPod[],
  now: number,
): ReplicaSetPlan {
  const { spec, metadata } = replicaSet;
  const deleting = metadata.deletionTimestamp !== undefined;
  const matches = (pod: StoredPod) => matchesLabelSelector(spec?.selector, pod.metadata.labels);
  const own = pods.filter((pod) => controllerOf(pod)?.uid === metadata.uid);
  const adopt = deleting
    ? []
    : pods.filter((pod) => controllerOf(pod) === undefined && isActive(pod) && matches(pod));
  const active = [...own.filter(matches), ...adopt].filter(isActive);
  const excess = active.length - (spec?.replicas ?? 1);
  const wait = availableAgainIn(active, spec?.minReadySeconds ?? 0, now);
  return {
    adopt,
    release: own.filter((pod) => !matches(pod) && isActive(pod)),
    create: deleting ? 0 : Math.max(0, -excess),
    remove: deleting || excess <= 0 ? [] : deletionOrder(active).slice(0, excess),
    status: statusOf(replicaSet, active, now),
    lookAgainIn: wait,
  };
}

function statusOf(
  { metadata, spec, status }: Stored<ReplicaSet>,
  active: readonly StoredPod[],
  now: number,
): ReplicaSetStatus {
  const wanted = Object.entries(spec?.template?.metadata?.labels ?? {});
  const minReadySeconds = spec?.minReadySeconds ?? 0;
  const count = (test: (pod: StoredPod) => boolean) => active.filter(test).length;
  return {
    ...(status?.conditions === undefined ? {} : { conditions: status.conditions }),
    replicas: active.length,
    ...nonZero({
      fullyLabeledReplicas: count((pod) =>
        wanted.every(([key, value]) => pod.metadata.labels?.[key] === value),
      ),
      readyReplicas: count(isReady),
      availableReplicas: count(
        (pod) => (availableAt(pod, minReadySeconds) ?? Number.POSITIVE_INFINITY) <= now,
      ),
    }),
    observedGeneration: metadata.generation ?? 1,
  };
}

function availableAgainIn(
  active: readonly StoredPod[],
  minReadySeconds: number,
  now: number,
): number | undefined {
  const waits = active
    .map((pod) => (availableAt(pod, minReadySeconds) ?? now) - now)
    .filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
