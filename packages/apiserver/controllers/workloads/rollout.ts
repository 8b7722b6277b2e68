import type { DeploymentSpec } from '#kube-api';

/** How far a rolling update may go from the wanted number of Pods. */
export interface RolloutBounds {
  readonly surge: number;
  readonly unavailable: number;
}

/** A ReplicaSet as the arithmetic of rollouts sees it. */
export interface Group {
  readonly name: string;
  readonly replicas: number;
  readonly available: number;
}

/** New sizes, by ReplicaSet name; only those that change. */
export type Sizes = ReadonlyMap<string, number>;

/**
 * maxSurge (rounded up) and maxUnavailable (rounded down) in Pods; both zero would never move, so one may then be
 * unavailable. Source: kubernetes pkg/controller/deployment/util, ResolveFenceposts.
 */
export function rolloutBounds(spec: DeploymentSpec): RolloutBounds {
  const replicas = spec.replicas ?? 1;
  if (spec.strategy?.type === 'Recreate') return { surge: 0, unavailable: 0 };
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec.strategy?.rollingUpdate ?? {};
  const surge = resolve(maxSurge, replicas, Math.ceil);
  const unavailable = resolve(maxUnavailable, replicas, Math.floor);
  return { surge, unavailable: Math.min(replicas, surge === 0 && unavailable === 0 ? 1 : unavailable) };
}

function resolve(value: number | string, total: number, round: (value: number) => number): number {
  if (typeof value === 'number') return value;
  return value.endsWith('%') ? round((Number.parseInt(value, 10) * total) / 100) : Number(value) || 0;
}

/** How many Pods the new ReplicaSet may have now, beside `others`. Never fewer than it has, unless it has too many. */
export function newGroupSize(wanted: number, bounds: RolloutBounds, current: number, others: number): number {
  if (current > wanted) return wanted;
  const room = wanted + bounds.surge - current - others;
  return room <= 0 ? current : Math.min(wanted, current + room);
}

/**
 * Takes from the old ReplicaSets, oldest first, what can go without leaving fewer than `wanted - unavailable` available:
 * first Pods that serve nobody, then as many of the others as the new ones stand in for.
 */
export function shrinkOld(wanted: number, bounds: RolloutBounds, fresh: Group, old: readonly Group[]): Sizes {
  const least = wanted - bounds.unavailable;
  const total = fresh.replicas + sum(old, ({ replicas }) => replicas);
  const freshUnavailable = Math.max(0, fresh.replicas - fresh.available);
  let useless = Math.max(0, total - least - freshUnavailable);
  const sizes = new Map<string, number>();
  for (const group of old) {
    const take = Math.min(useless, Math.max(0, group.replicas - group.available));
    useless -= take;
    if (take > 0) sizes.set(group.name, group.replicas - take);
  }
  let spare = Math.max(0, fresh.available + sum(old, ({ available }) => available) - least);
  spare = Math.min(spare, Math.max(0, total - least - freshUnavailable));
  for (const group of old) {
    const size = sizes.get(group.name) ?? group.replicas;
    const take = Math.min(spare, size, Math.max(0, Math.min(group.available, size)));
    spare -= take;
    if (take > 0) sizes.set(group.name, size - take);
  }
  return sizes;
}

/**
 * Spreads a change of the Deployment's size in the middle of a rollout over its ReplicaSets, in proportion to their
 * sizes; what rounding leaves goes to the largest. Source: kubernetes pkg/controller/deployment/sync.go, scale.
 */
export function scaleProportionally(allowed: number, groups: readonly Group[]): Sizes {
  const total = sum(groups, ({ replicas }) => replicas);
  const change = allowed - total;
  if (total === 0 || change === 0) return new Map();
  const largestFirst = groups.toSorted((a, b) => b.replicas - a.replicas);
  const sizes = new Map<string, number>();
  let left = change;
  for (const { name, replicas } of largestFirst) {
    const share = Math.round((replicas * change) / total);
    const part = change > 0 ? Math.min(share, left) : Math.max(share, left, -replicas);
    sizes.set(name, replicas + part);
    left -= part;
  }
  const [largest] = largestFirst;
  if (largest !== undefined && left !== 0)
    sizes.set(largest.name, Math.max(0, (sizes.get(largest.name) ?? 0) + left));
  return new Map(
    [...sizes].filter(([name, size]) => groups.some((g) => g.name === name && g.replicas !== size)),
  );
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
