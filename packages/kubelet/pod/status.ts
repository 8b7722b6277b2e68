import { type ContainerState, type ContainerStatus, type PodStatus, qosClass } from '#kube-api';
import { podConditions } from './pod-conditions.ts';
import type { ContainerView, PodPhase, PodView } from './pod-view.ts';

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
