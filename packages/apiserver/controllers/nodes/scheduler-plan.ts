import { controllerOf, type Node } from '#kube-api';
import { isTerminal, type StoredPod } from '../base/pods.ts';
import type { Stored } from '../base/stored.ts';
import { nodePreference, selectsNode } from './node-selection.ts';
import { untolerated } from './taints.ts';

export type Decision =
  | { readonly pod: StoredPod; readonly node: string }
  /** `reason`: why no node would do, as `kubectl describe pod` shows it. */
  | { readonly pod: StoredPod; readonly node: undefined; readonly reason: string };

interface Load {
  pods: number;
  readonly owners: Map<string, number>;
  readonly hostPorts: Set<string>;
}

const NOT_READY = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
const UNSCHEDULABLE = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/**
 * Where each Pod that waits should run, the longest-waiting first. Of the nodes that may, those are better that the Pod
 * prefers, then those with fewer Pods of its owner, then those with fewer Pods. It knows no resources: a lab's nodes
 * share one machine.
 */
export function planScheduling(
  pods: readonly StoredPod[],
  nodes: readonly Stored<Node>[],
): readonly Decision[] {
  const loads = new Map(nodes.map(({ metadata }) => [metadata.name, emptyLoad()]));
  for (const pod of pods) {
    const load = loads.get(pod.spec?.nodeName ?? '');
    if (load !== undefined && !isTerminal(pod)) place(load, pod);
  }
  return pods
    .filter(waits)
    .toSorted(oldestFirst)
    .map((pod) => {
      const decision = decide(pod, nodes, loads);
      const load = decision.node === undefined ? undefined : loads.get(decision.node);
      if (load !== undefined) place(load, pod);
      return decision;
    });
}

/** Nobody placed it yet, and it is ours to place. */
export function waits({ spec, metadata, status }: StoredPod): boolean {
  return (
    !spec?.nodeName &&
    metadata.deletionTimestamp === undefined &&
    (spec?.schedulerName ?? 'default-scheduler') === 'default-scheduler' &&
    (spec?.schedulingGates ?? []).length === 0 &&
    (status?.phase ?? 'Pending') === 'Pending'
  );
}

function decide(pod: StoredPod, nodes: readonly Stored<Node>[], loads: ReadonlyMap<string, Load>): Decision {
  const refusals = new Map<string, number>();
  let best: { readonly name: string; readonly rank: readonly number[] } | undefined;
  for (const node of nodes.toSorted(byName)) {
    const load = loads.get(node.metadata.name) ?? emptyLoad();
    const refusal = refusalOf(pod, node, load);
    if (refusal !== undefined) {
      refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
      continue;
    }
    const rank = [
      pod.spec === undefined ? 0 : -nodePreference(pod.spec, node),
      load.owners.get(ownerOf(pod)) ?? 0,
      load.pods,
    ];
    if (best === undefined || less(rank, best.rank)) best = { name: node.metadata.name, rank };
  }
  if (best !== undefined) return { pod, node: best.name };
  const counted = [...refusals].map(([why, count]) => `${count} ${why}`).toSorted();
  const why = counted.length === 0 ? 'no nodes available to schedule pods' : counted.join(', ');
  return {
    pod,
    node: undefined,
    reason: nodes.length === 0 ? why : `0/${nodes.length} nodes are available: ${why}.`,
  };
}

/** Why the Pod may not run on the node, in the words of kube-scheduler. */
function refusalOf({ spec }: StoredPod, node: Stored<Node>, load: Load): string | undefined {
  if (spec === undefined) return 'node(s) were not asked for';
  const { taints = [], unschedulable } = node.spec ?? {};
  const ready = node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  const all = [...taints, ...(unschedulable ? [UNSCHEDULABLE] : []), ...(ready ? [] : [NOT_READY])];
  const taint = untolerated(spec.tolerations, all, ['NoSchedule', 'NoExecute']);
  if (taint?.key === UNSCHEDULABLE.key) return 'node(s) were unschedulable';
  if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
  if (!selectsNode(spec, node)) return "node(s) didn't match Pod's node affinity/selector";
  if (hostPortsOf(spec.containers).some((port) => load.hostPorts.has(port)))
    return "node(s) didn't have free ports for the requested pod ports";
  return undefined;
}

function emptyLoad(): Load {
  return { pods: 0, owners: new Map(), hostPorts: new Set() };
}

function place(load: Load, pod: StoredPod): void {
  const owner = ownerOf(pod);
  load.pods++;
  load.owners.set(owner, (load.owners.get(owner) ?? 0) + 1);
  for (const port of hostPortsOf(pod.spec?.containers ?? [])) load.hostPorts.add(port);
}

function hostPortsOf(containers: NonNullable<StoredPod['spec']>['containers']): readonly string[] {
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, hostIP = '', protocol = 'TCP' }) =>
      hostPort ? `${protocol} ${hostIP} ${hostPort}` : [],
    ),
  );
}

/** Pods without a controller spread by what they are labelled with. */
function ownerOf(pod: StoredPod): string {
  return controllerOf(pod)?.uid ?? JSON.stringify([pod.metadata.namespace, pod.metadata.labels ?? {}]);
}

function less(a: readonly number[], b: readonly number[]): boolean {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index !== -1 && (a[index] ?? 0) < (b[index] ?? 0);
}

function byName(a: Stored<Node>, b: Stored<Node>): number {
  return a.metadata.name.localeCompare(b.metadata.name, 'en', { numeric: true });
}

function oldestFirst(a: StoredPod, b: StoredPod): number {
  const [left, right] = [a.metadata, b.metadata];
  if (left.creationTimestamp !== right.creationTimestamp)
    return left.creationTimestamp < right.creationTimestamp ? -1 : 1;
  return left.name < right.name ? -1 : 1;
}
