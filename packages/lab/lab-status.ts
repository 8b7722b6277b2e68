import { readdirSync } from 'node:fs';
import { NODES, type Node, PODS } from '#kube-api';
import { createKubeClient, loadKubeconfig } from '#kube-client';
import { errorMessage, hasErrorCode } from '#runtime';
import { askControl, type SupervisorStatus } from './control-socket.ts';
import { LabError } from './errors.ts';
import { isLabLocked } from './lab-lock.ts';
import { type NodeAddresses, nodeAddresses, whyNotReady } from './node-readiness.ts';
import { DEFAULT_LAB_NAME, type LabOptions } from './options.ts';
import { labPaths } from './paths.ts';
import { type BootResult, type LabRecord, readRecord } from './records.ts';
import type { ProcessStatus } from './supervised-process.ts';

/** `stopped`: its objects are stored, its processes are gone; `lab up` starts it again. */
export type LabState = 'running' | 'starting' | 'stopped';

export interface LabSummary {
  readonly name: string;
  readonly state: LabState;
  readonly nodes: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly kubeconfig: string;
}

export interface NodeStatus extends NodeAddresses {
  readonly name: string;
  readonly ready: boolean;
  /** Why it is not Ready. */
  readonly message: string | undefined;
  readonly pods: number;
  readonly agent: ProcessStatus | undefined;
}

export interface LabStatus extends LabSummary {
  readonly options: LabOptions;
  readonly bootMilliseconds: number | undefined;
  readonly dnsMilliseconds: number | null | undefined;
  readonly nodeStatus: readonly NodeStatus[];
  readonly processes: readonly ProcessStatus[];
  /** What could not be found out. */
  readonly problem: string | undefined;
}

/** Names of the labs that have a directory, sorted. */
export function labNames(labs: string): readonly string[] {
  try {
    return readdirSync(labs, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** undefined when there is no lab of that name. */
export function summarizeLab(labs: string, name: string): LabSummary | undefined {
  const paths = labPaths(labs, name);
  const record = readRecord<LabRecord>(paths.lab);
  if (record === undefined) return undefined;
  const { createdAt, options } = record;
  return { name, state: labState(labs, name), nodes: options.nodes, createdAt, kubeconfig: paths.kubeconfig };
}

export function labState(labs: string, name: string): LabState {
  const paths = labPaths(labs, name);
  if (!isLabLocked(paths.lock)) return 'stopped';
  return readRecord<BootResult>(paths.boot) === undefined ? 'starting' : 'running';
}

/** Everything about one lab, as far as it answers. @throws LabError when there is none of that name */
export async function labStatus(labs: string, name: string): Promise<LabStatus> {
  const summary = summarizeLab(labs, name);
  const paths = labPaths(labs, name);
  const record = readRecord<LabRecord>(paths.lab);
  if (summary === undefined || record === undefined) throw noSuchLab(labs, name);
  const boot = readRecord<BootResult>(paths.boot);
  const base = {
    ...summary,
    options: record.options,
    bootMilliseconds: boot?.bootMilliseconds,
    dnsMilliseconds: boot?.dnsMilliseconds,
  };
  if (summary.state !== 'running') return { ...base, nodeStatus: [], processes: [], problem: undefined };
  const [supervisor, cluster] = await Promise.allSettled([
    askControl<SupervisorStatus>(paths.control, { kind: 'status' }),
    readCluster(paths.kubeconfig),
  ]);
  const processes = supervisor.status === 'fulfilled' ? supervisor.value.processes : [];
  const problems = [supervisor, cluster].flatMap((outcome) =>
    outcome.status === 'rejected' ? [errorMessage(outcome.reason)] : [],
  );
  const { nodes, pods } = cluster.status === 'fulfilled' ? cluster.value : { nodes: [], pods: new Map() };
  return {
    ...base,
    nodeStatus: nodes.map((node) => nodeStatus(node, pods.get(node.metadata?.name ?? '') ?? 0, processes)),
    processes,
    problem: problems.length === 0 ? undefined : problems.join('; '),
  };
}

/** What a command needs to mean this lab; nothing for the one that is meant without. */
export function nameFlag(name: string): string {
  return name === DEFAULT_LAB_NAME ? '' : ` --name ${name}`;
}

/** @returns an error that says which labs there are */
export function noSuchLab(labs: string, name: string): LabError {
  const names = labNames(labs);
  const others =
    names.length === 0
      ? `start it with: podway lab up${nameFlag(name)}`
      : `there ${names.length === 1 ? 'is' : 'are'}: ${names.join(', ')}`;
  return new LabError(`there is no lab ${name}; ${others}`);
}

async function readCluster(kubeconfig: string) {
  using client = createKubeClient(
    await loadKubeconfig({ paths: [kubeconfig] }),
    {},
    { userAgent: 'podway-lab', requestTimeoutMs: 5_000 },
  );
  const [nodes, pods] = await Promise.all([client.list(NODES), client.list(PODS)]);
  const counts = new Map<string, number>();
  for (const { spec } of pods.items)
    if (spec?.nodeName) counts.set(spec.nodeName, (counts.get(spec.nodeName) ?? 0) + 1);
  return { nodes: nodes.items.toSorted(byNumber), pods: counts };
}

/** node2 before node10. */
function byNumber(a: Node, b: Node): number {
  return (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? '', 'en', { numeric: true });
}

function nodeStatus(node: Node, pods: number, processes: readonly ProcessStatus[]): NodeStatus {
  const name = node.metadata?.name ?? '';
  const message = whyNotReady(node);
  return {
    name,
    ...nodeAddresses(node),
    ready: message === undefined,
    message,
    pods,
    agent: processes.find((each) => each.name === `agent-${name}`),
  };
}
