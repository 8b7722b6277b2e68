import {
  type Container,
  type ContainerState,
  type ContainerStatus,
  type Pod,
  type PodCondition,
  type PodStatus,
  qosClass,
  transitionTime,
} from '#kube-api';

/** What the kubelet knows of one container. */
export interface ContainerView {
  readonly container: Container;
  readonly kind: 'init' | 'sidecar' | 'app' | 'ephemeral';
  readonly state: ContainerState;
  readonly lastState: ContainerState;
  readonly restartCount: number;
  readonly containerId: string;
  readonly imageId: string;
  /** The startup probe has passed, or there is none. */
  readonly started: boolean;
  readonly ready: boolean;
}

export interface PodView {
  readonly pod: Pod;
  readonly containers: readonly ContainerView[];
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  readonly startTime: string;
  readonly sandboxReady: boolean;
  /** Why the kubelet ended the Pod, if it did. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
  /** RFC 3339 */
  readonly now: string;
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** The status to report, from the whole of what is known. Pure. */
export function podStatus(view: PodView): PodStatus {
  const phase = podPhase(view);
  const statusOf = (kinds: readonly ContainerView['kind'][]) =>
    view.containers.filter(({ kind }) => kinds.includes(kind)).map(containerStatus);
  const initContainerStatuses = statusOf(['init', 'sidecar']);
  const ephemeralContainerStatuses = statusOf(['ephemeral']);
  return {
    phase,
    ...view.failure,
    conditions: podConditions(view, phase),
    ...(view.hostIps[0] === undefined
      ? {}
      : { hostIP: view.hostIps[0], hostIPs: view.hostIps.map((ip) => ({ ip })) }),
    ...(view.podIps[0] === undefined
      ? {}
      : { podIP: view.podIps[0], podIPs: view.podIps.map((ip) => ({ ip })) }),
    startTime: view.startTime,
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses: statusOf(['app']),
    ...(ephemeralContainerStatuses.length === 0 ? {} : { ephemeralContainerStatuses }),
    qosClass: qosClass(view.pod.spec),
  };
}

function containerStatus(view: ContainerView): ContainerStatus {
  return {
    name: view.container.name,
    image: view.container.image ?? '',
    imageID: view.imageId,
    ...(view.containerId === '' ? {} : { containerID: view.containerId }),
    state: view.state,
    lastState: view.lastState,
    ready: view.ready,
    started: view.started && view.state.running !== undefined,
    restartCount: view.restartCount,
  };
}

/** As the kubelet's getPhase. */
export function podPhase(view: PodView): PodPhase {
  if (view.failure !== undefined) return 'Failed';
  const policy = view.pod.spec?.restartPolicy ?? 'Always';
  const init = view.containers.filter(({ kind }) => kind === 'init');
  const failedInit = init.some(({ state }) => (state.terminated?.exitCode ?? 0) !== 0);
  if (failedInit && policy === 'Never') return 'Failed';
  const initDone =
    init.every(({ state }) => state.terminated?.exitCode === 0) &&
    view.containers
      .filter(({ kind }) => kind === 'sidecar')
      .every((sidecar) => sidecar.started || sidecar.state.terminated !== undefined);
  if (!initDone) return 'Pending';
  const apps = view.containers.filter(({ kind }) => kind === 'app');
  const stopped = apps.filter(({ state, lastState }) => isStopped(state, lastState));
  if (apps.some(({ state, lastState }) => state.waiting !== undefined && !isStopped(state, lastState)))
    return 'Pending';
  if (apps.some(({ state }) => state.running !== undefined)) return 'Running';
  if (stopped.length === 0) return 'Pending';
  if (policy === 'Always') return 'Running';
  if (apps.every(({ state }) => state.terminated?.exitCode === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function isStopped(state: ContainerState, lastState: ContainerState): boolean {
  return (
    state.terminated !== undefined || (state.waiting !== undefined && lastState.terminated !== undefined)
  );
}

function podConditions(view: PodView, phase: PodPhase): readonly PodCondition[] {
  const previous = view.pod.status?.conditions ?? [];
  const condition = (
    type: string,
    ok: boolean,
    reason?: string | undefined,
    message?: string | undefined,
  ): PodCondition => {
    const status = ok ? 'True' : 'False';
    const old = previous.find((other) => other.type === type);
    return {
      type,
      status,
      lastTransitionTime: transitionTime(old, status, view.now),
      ...(ok || reason === undefined ? {} : { reason }),
      ...(ok || message === undefined ? {} : { message }),
    };
  };
  const own = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady']);
  const others = previous.filter(({ type }) => !own.has(type));
  const incomplete = view.containers.filter(
    ({ kind, state, started }) =>
      (kind === 'init' && state.terminated?.exitCode !== 0) || (kind === 'sidecar' && !started),
  );
  const unready = view.containers.filter(
    ({ kind, ready }) => (kind === 'app' || kind === 'sidecar') && !ready,
  );
  const names = (list: readonly ContainerView[]) => list.map(({ container }) => container.name).join(' ');
  const completed = phase === 'Succeeded';
  const finished = completed || phase === 'Failed';
  const containersReady = unready.length === 0 && !finished;
  const reason = completed ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : 'ContainersNotReady';
  const message = finished ? undefined : `containers with unready status: [${names(unready)}]`;
  const gates = (view.pod.spec?.readinessGates ?? []).filter(
    ({ conditionType }) => !others.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  const gateMessage = gates
    .map(
      ({ conditionType }) =>
        `corresponding condition of pod readiness gate "${conditionType}" does not exist or is not True.`,
    )
    .join(', ');
  return [
    condition('PodReadyToStartContainers', view.sandboxReady),
    condition(
      'Initialized',
      incomplete.length === 0 || completed,
      'ContainersNotInitialized',
      `containers with incomplete status: [${names(incomplete)}]`,
    ),
    containersReady && gates.length > 0
      ? condition('Ready', false, 'ReadinessGatesNotReady', gateMessage)
      : condition('Ready', containersReady, reason, message),
    condition('ContainersReady', containersReady, reason, message),
    ...others,
  ];
}
