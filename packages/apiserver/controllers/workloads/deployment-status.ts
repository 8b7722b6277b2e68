import {
  type Deployment,
  type DeploymentCondition,
  type DeploymentStatus,
  formatTime,
  type ReplicaSet,
  transitionTime,
} from '#kube-api';
import type { Stored } from '../base/stored.ts';
import { nonZero } from './counts.ts';
import { rolloutBounds } from './rollout.ts';

type StoredDeployment = Stored<Deployment>;
type StoredReplicaSet = Stored<ReplicaSet>;
type Verdict = Pick<DeploymentCondition, 'status' | 'reason' | 'message'>;

/**
 * The status of a Deployment over its ReplicaSets; `fresh` is that of the present template. `now`: milliseconds.
 * Source: kubernetes pkg/controller/deployment/{sync,progress}.go.
 */
export function deploymentStatus(
  deployment: StoredDeployment,
  fresh: StoredReplicaSet | undefined,
  all: readonly StoredReplicaSet[],
  now: number,
): DeploymentStatus {
  const total = (of: (status: ReplicaSet['status']) => number | undefined) =>
    all.reduce((sum, { status }) => sum + (of(status) ?? 0), 0);
  const available = total((status) => status?.availableReplicas);
  const wanted = deployment.spec?.replicas ?? 1;
  const counts = {
    observedGeneration: deployment.metadata.generation ?? 1,
    replicas: total((status) => status?.replicas),
    updatedReplicas: fresh?.status?.replicas ?? 0,
    readyReplicas: total((status) => status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total((status) => status?.replicas) - available, wanted - available),
  };
  const { collisionCount } = deployment.status ?? {};
  return {
    ...nonZero(counts),
    ...(collisionCount === undefined ? {} : { collisionCount }),
    conditions: conditions(deployment, fresh, counts, now),
  };
}

interface Counts {
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly availableReplicas: number;
  readonly readyReplicas: number;
}

/** All Pods are of the present template and available: the rollout is over. */
export function isComplete(deployment: StoredDeployment, counts: Counts): boolean {
  const wanted = deployment.spec?.replicas ?? 1;
  return (
    counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas === wanted
  );
}

/** Milliseconds until the rollout counts as stuck; undefined when nothing is awaited. */
export function deadlineIn(
  deployment: StoredDeployment,
  status: DeploymentStatus,
  now: number,
): number | undefined {
  const progressing = status.conditions?.find(({ type }) => type === 'Progressing');
  const seconds = deployment.spec?.progressDeadlineSeconds;
  if (seconds === undefined || progressing === undefined || progressing.status !== 'True') return undefined;
  if (progressing.reason === 'NewReplicaSetAvailable') return undefined;
  return Math.max(0, Date.parse(progressing.lastUpdateTime ?? '') + seconds * 1000 - now) + 1000;
}

function conditions(
  deployment: StoredDeployment,
  fresh: StoredReplicaSet | undefined,
  counts: Counts,
  now: number,
): readonly DeploymentCondition[] {
  const held = new Map((deployment.status?.conditions ?? []).map((condition) => [condition.type, condition]));
  const wanted = deployment.spec?.replicas ?? 1;
  const unavailable = deployment.spec === undefined ? 0 : rolloutBounds(deployment.spec).unavailable;
  const enough = counts.availableReplicas >= wanted - unavailable;
  const available: Verdict = enough
    ? verdict('True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.')
    : verdict('False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.');
  const moved = hasProgressed(deployment, counts);
  const progressing = progress(deployment, fresh, counts, held.get('Progressing'), moved, now);
  return [
    condition('Available', available, held.get('Available'), false, now),
    ...(progressing === undefined
      ? []
      : [condition('Progressing', progressing, held.get('Progressing'), moved, now)]),
  ];
}

function progress(
  deployment: StoredDeployment,
  fresh: StoredReplicaSet | undefined,
  counts: Counts,
  held: DeploymentCondition | undefined,
  moved: boolean,
  now: number,
): Verdict | undefined {
  const seconds = deployment.spec?.progressDeadlineSeconds;
  if (seconds === undefined) return undefined;
  if (deployment.spec?.paused) return verdict('Unknown', 'DeploymentPaused', 'Deployment is paused');
  const what =
    fresh === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${fresh.metadata.name}"`;
  // A rollout that has ended stays ended while Pods come and go; only a new template or size begins another.
  const sameGoal = deployment.status?.observedGeneration === deployment.metadata.generation;
  if (isComplete(deployment, counts) || (held?.reason === 'NewReplicaSetAvailable' && sameGoal))
    return verdict('True', 'NewReplicaSetAvailable', `${what} has successfully progressed.`);
  const since = Date.parse(held?.lastUpdateTime ?? '');
  const late = sameGoal && !moved && now - since >= seconds * 1000;
  if (late || (held?.reason === 'ProgressDeadlineExceeded' && sameGoal && !moved))
    return verdict('False', 'ProgressDeadlineExceeded', `${what} has timed out progressing.`);
  return verdict('True', 'ReplicaSetUpdated', `${what} is progressing.`);
}

/** More of what is wanted than before, or less of what is not. */
function hasProgressed({ status }: StoredDeployment, counts: Counts): boolean {
  const old = (replicas = 0, updated = 0) => replicas - updated;
  return (
    counts.updatedReplicas > (status?.updatedReplicas ?? 0) ||
    counts.readyReplicas > (status?.readyReplicas ?? 0) ||
    counts.availableReplicas > (status?.availableReplicas ?? 0) ||
    old(counts.replicas, counts.updatedReplicas) < old(status?.replicas, status?.updatedReplicas)
  );
}

function condition(
  type: string,
  { status, reason, message }: Verdict,
  held: DeploymentCondition | undefined,
  refresh: boolean,
  now: number,
): DeploymentCondition {
  const same = held?.status === status && held.reason === reason && held.message === message;
  if (held !== undefined && same && !refresh) return held;
  const time = formatTime(now);
  return {
    type,
    status,
    lastUpdateTime: time,
    lastTransitionTime: transitionTime(held, status, time),
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
  };
}

function verdict(status: string, reason: string, message: string): Verdict {
  return { status, reason, message };
}
