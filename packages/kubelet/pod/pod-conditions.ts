import { type PodCondition, transitionTime } from '#kube-api';
import type { ContainerView, PodPhase, PodView } from './pod-view.ts';

/** The conditions that the kubelet sets. */
const OWN = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady']);

/** Why a condition is False. */
interface Obstacle {
  readonly reason?: string;
  readonly message?: string;
}

/** The conditions of a Pod, and after them those that others have set. Source: pkg/kubelet/status/generate.go. */
export function podConditions(view: PodView, phase: PodPhase): readonly PodCondition[] {
  const previous = view.pod.status?.conditions ?? [];
  const others = previous.filter(({ type }) => !OWN.has(type));
  const unready = unreadyContainers(view, phase);
  const condition = (type: string, obstacle: Obstacle | undefined): PodCondition => {
    const status = obstacle === undefined ? 'True' : 'False';
    const held = previous.find((one) => one.type === type);
    return { type, status, lastTransitionTime: transitionTime(held, status, view.now), ...obstacle };
  };
  return [
    condition('PodReadyToStartContainers', view.sandboxReady ? undefined : {}),
    condition('Initialized', phase === 'Succeeded' ? undefined : incompleteContainers(view)),
    condition('Ready', unready ?? openGates(view, others)),
    condition('ContainersReady', unready),
    ...others,
  ];
}

function incompleteContainers({ containers }: PodView): Obstacle | undefined {
  const incomplete = containers.filter(
    ({ kind, state, started }) =>
      (kind === 'init' && state.terminated?.exitCode !== 0) || (kind === 'sidecar' && !started),
  );
  if (incomplete.length === 0) return undefined;
  const message = `containers with incomplete status: [${namesOf(incomplete)}]`;
  return { reason: 'ContainersNotInitialized', message };
}

function unreadyContainers({ containers }: PodView, phase: PodPhase): Obstacle | undefined {
  if (phase === 'Succeeded') return { reason: 'PodCompleted' };
  if (phase === 'Failed') return { reason: 'PodFailed' };
  const unready = containers.filter(({ kind, ready }) => (kind === 'app' || kind === 'sidecar') && !ready);
  if (unready.length === 0) return undefined;
  return {
    reason: 'ContainersNotReady',
    message: `containers with unready status: [${namesOf(unready)}]`,
  };
}

/** Readiness gates: conditions that others must have set to True. */
function openGates({ pod }: PodView, others: readonly PodCondition[]): Obstacle | undefined {
  const missing = (pod.spec?.readinessGates ?? []).filter(
    ({ conditionType }) => !others.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  if (missing.length === 0) return undefined;
  const message = missing
    .map(
      ({ conditionType }) =>
        `corresponding condition of pod readiness gate "${conditionType}" does not exist or is not True.`,
    )
    .join(', ');
  return { reason: 'ReadinessGatesNotReady', message };
}

function namesOf(containers: readonly ContainerView[]): string {
  return containers.map(({ container }) => container.name).join(' ');
}
