import type { Deployment, DeploymentStatus, ObjectMeta, ReplicaSet } from '#kube-api';
import { isTerminal, type StoredPod } from '../base/pods.ts';
import { controllerReference, type Stored } from '../base/stored.ts';
import { deadlineIn, deploymentStatus, isComplete } from './deployment-status.ts';
import {
  type Group,
  newGroupSize,
  type RolloutBounds,
  rolloutBounds,
  type Sizes,
  scaleProportionally,
  shrinkOld,
} from './rollout.ts';
import { sameTemplate, TEMPLATE_HASH_LABEL, templateHash } from './template-hash.ts';

type StoredDeployment = Stored<Deployment>;
type StoredReplicaSet = Stored<ReplicaSet>;

export const REVISION = 'deployment.kubernetes.io/revision';
const DESIRED = 'deployment.kubernetes.io/desired-replicas';
const MAX = 'deployment.kubernetes.io/max-replicas';
/** Annotations of the Deployment that say nothing about its ReplicaSets. */
const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  REVISION,
  DESIRED,
  MAX,
]);

export interface ReplicaSetChange {
  readonly replicaSet: StoredReplicaSet;
  readonly replicas: number;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface DeploymentPlan {
  readonly create: ReplicaSet | undefined;
  readonly change: readonly ReplicaSetChange[];
  /** History beyond revisionHistoryLimit. */
  readonly remove: readonly StoredReplicaSet[];
  /** The Deployment's own revision annotation, where it must change. */
  readonly revision: string | undefined;
  readonly status: DeploymentStatus;
  /** Milliseconds until the rollout counts as stuck. */
  readonly lookAgainIn: number | undefined;
}

/**
 * The next step of a Deployment; `owned` are its ReplicaSets, `pods` theirs. Steps are small: each that is taken changes
 * what is seen, and the next is planned on that. `now`: milliseconds since the epoch.
 */
export function planDeployment(
  deployment: StoredDeployment,
  owned: readonly StoredReplicaSet[],
  pods: readonly StoredPod[],
  now: number,
): DeploymentPlan {
  const spec = deployment.spec;
  const byAge = owned.toSorted(oldestFirst);
  const fresh = byAge.find((one) => sameTemplate(one.spec?.template, spec?.template));
  const old = byAge.filter((one) => one !== fresh);
  const status = deploymentStatus(deployment, fresh, byAge, now);
  const nothing = {
    create: undefined,
    change: [],
    remove: [],
    revision: undefined,
    status,
    lookAgainIn: undefined,
  };
  if (spec === undefined || deployment.metadata.deletionTimestamp !== undefined) return nothing;
  const bounds = rolloutBounds(spec);
  const wanted = spec.replicas ?? 1;
  const revision = revisionFor(fresh, old);
  const sizes: Sizes = isScaling(byAge, wanted)
    ? rescale(wanted, bounds, fresh, byAge)
    : spec.paused
      ? new Map()
      : spec.strategy?.type === 'Recreate'
        ? recreate(wanted, fresh, old)
        : roll(wanted, bounds, fresh, old);
  const mayStart = spec.strategy?.type !== 'Recreate' || !anyRunning(old, pods);
  const changes = byAge
    .map((replicaSet): ReplicaSetChange => {
      const replicas = sizes.get(replicaSet.metadata.name) ?? sizeOf(replicaSet);
      const grows = replicaSet === fresh && replicas > sizeOf(replicaSet);
      return {
        replicaSet,
        replicas: grows && !mayStart ? sizeOf(replicaSet) : replicas,
        annotations: annotationsFor(
          deployment,
          replicaSet,
          replicaSet === fresh ? revision : undefined,
          bounds,
        ),
      };
    })
    .filter(
      ({ replicaSet, replicas, annotations }) =>
        replicas !== sizeOf(replicaSet) || differs(replicaSet, annotations),
    );
  const begins = fresh === undefined && !spec.paused && mayStart;
  const others = old.reduce((total, one) => total + sizeOf(one), 0);
  return {
    create: begins
      ? newReplicaSet(deployment, revision, bounds, newGroupSize(wanted, bounds, 0, others))
      : undefined,
    change: changes,
    remove: isComplete(deployment, counted(status)) ? history(old, spec.revisionHistoryLimit ?? 10) : [],
    revision:
      (fresh !== undefined || begins) && deployment.metadata.annotations?.[REVISION] !== revision
        ? revision
        : undefined,
    status,
    lookAgainIn: deadlineIn(deployment, status, now),
  };
}

const counted = (status: DeploymentStatus) => ({
  replicas: status.replicas ?? 0,
  updatedReplicas: status.updatedReplicas ?? 0,
  availableReplicas: status.availableReplicas ?? 0,
  readyReplicas: status.readyReplicas ?? 0,
});

/** The newest revision that there is, or one more when the present template's ReplicaSet does not bear it yet. */
function revisionFor(fresh: StoredReplicaSet | undefined, old: readonly StoredReplicaSet[]): string {
  const newestOld = Math.max(0, ...old.map(revisionOf));
  const own = fresh === undefined ? 0 : revisionOf(fresh);
  return String(own > newestOld ? own : newestOld + 1);
}

function revisionOf({ metadata }: StoredReplicaSet): number {
  return Number(metadata.annotations?.[REVISION] ?? 0) || 0;
}

/** The Deployment's size was changed since a ReplicaSet that runs was last written. */
function isScaling(all: readonly StoredReplicaSet[], wanted: number): boolean {
  return all.some((one) => {
    const desired = one.metadata.annotations?.[DESIRED];
    return sizeOf(one) > 0 && desired !== undefined && desired !== String(wanted);
  });
}

function rescale(
  wanted: number,
  bounds: RolloutBounds,
  fresh: StoredReplicaSet | undefined,
  all: readonly StoredReplicaSet[],
): Sizes {
  const running = all.filter((one) => sizeOf(one) > 0);
  const [only] = running.length === 0 && fresh !== undefined ? [fresh] : running;
  if (running.length <= 1) return new Map(only === undefined ? [] : [[only.metadata.name, wanted]]);
  return scaleProportionally(wanted === 0 ? 0 : wanted + bounds.surge, running.map(groupOf));
}

function recreate(
  wanted: number,
  fresh: StoredReplicaSet | undefined,
  old: readonly StoredReplicaSet[],
): Sizes {
  const sizes = new Map(old.filter((one) => sizeOf(one) > 0).map((one) => [one.metadata.name, 0]));
  return sizes.size > 0 || fresh === undefined ? sizes : new Map([[fresh.metadata.name, wanted]]);
}

function roll(
  wanted: number,
  bounds: RolloutBounds,
  fresh: StoredReplicaSet | undefined,
  old: readonly StoredReplicaSet[],
): Sizes {
  if (fresh === undefined) return new Map();
  const others = old.reduce((total, one) => total + sizeOf(one), 0);
  const size = newGroupSize(wanted, bounds, sizeOf(fresh), others);
  if (size !== sizeOf(fresh)) return new Map([[fresh.metadata.name, size]]);
  return shrinkOld(wanted, bounds, groupOf(fresh), old.filter((one) => sizeOf(one) > 0).map(groupOf));
}

/** Recreate: nothing new while anything old still runs or may start, its last seconds included. */
function anyRunning(old: readonly StoredReplicaSet[], pods: readonly StoredPod[]): boolean {
  if (old.some((one) => sizeOf(one) > 0)) return true;
  const uids = new Set(old.map(({ metadata }) => metadata.uid));
  return pods.some(
    (pod) => !isTerminal(pod) && (pod.metadata.ownerReferences ?? []).some(({ uid }) => uids.has(uid)),
  );
}

function history(old: readonly StoredReplicaSet[], limit: number): readonly StoredReplicaSet[] {
  const idle = old.filter(
    (one) =>
      sizeOf(one) === 0 && (one.status?.replicas ?? 0) === 0 && one.metadata.deletionTimestamp === undefined,
  );
  return idle.toSorted((a, b) => revisionOf(a) - revisionOf(b)).slice(0, Math.max(0, idle.length - limit));
}

function newReplicaSet(
  deployment: StoredDeployment,
  revision: string,
  bounds: RolloutBounds,
  replicas: number,
): ReplicaSet | undefined {
  const { metadata, spec, status } = deployment;
  if (spec === undefined) return undefined;
  const hash = templateHash(spec.template, status?.collisionCount ?? 0);
  const labels = { ...spec.template.metadata?.labels, [TEMPLATE_HASH_LABEL]: hash };
  return {
    metadata: {
      name: `${metadata.name}-${hash}`,
      namespace: metadata.namespace,
      labels,
      annotations: annotationsFor(deployment, undefined, revision, bounds),
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector: {
        ...spec.selector,
        matchLabels: { ...spec.selector.matchLabels, [TEMPLATE_HASH_LABEL]: hash },
      },
      template: { ...spec.template, metadata: { ...spec.template.metadata, labels } },
    },
  };
}

function annotationsFor(
  { metadata, spec }: StoredDeployment,
  held: { readonly metadata: ObjectMeta } | undefined,
  revision: string | undefined,
  { surge }: RolloutBounds,
): Readonly<Record<string, string>> {
  const wanted = spec?.replicas ?? 1;
  // History keeps what it was rolled out with (its change cause); only the present one follows the Deployment.
  const copied =
    revision === undefined
      ? []
      : Object.entries(metadata.annotations ?? {}).filter(([name]) => !OWN_ANNOTATIONS.has(name));
  return {
    ...held?.metadata.annotations,
    ...Object.fromEntries(copied),
    ...(revision === undefined ? {} : { [REVISION]: revision }),
    [DESIRED]: String(wanted),
    [MAX]: String(wanted + surge),
  };
}

function differs(replicaSet: StoredReplicaSet, annotations: Readonly<Record<string, string>>): boolean {
  const held = replicaSet.metadata.annotations ?? {};
  const fields = Object.entries(annotations).filter(([name, value]) => held[name] !== value);
  // What an idle one was last scaled for changes nothing.
  return fields.some(([name]) => sizeOf(replicaSet) > 0 || (name !== DESIRED && name !== MAX));
}

function groupOf(replicaSet: StoredReplicaSet): Group {
  return {
    name: replicaSet.metadata.name,
    replicas: sizeOf(replicaSet),
    // What was scaled down a moment ago may not have counted again yet.
    available: Math.min(sizeOf(replicaSet), replicaSet.status?.availableReplicas ?? 0),
  };
}

function sizeOf({ spec }: StoredReplicaSet): number {
  return spec?.replicas ?? 1;
}

function oldestFirst(a: StoredReplicaSet, b: StoredReplicaSet): number {
  const [left, right] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp];
  if (left !== right) return left < right ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
