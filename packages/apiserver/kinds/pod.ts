import {
  asObject,
  type ContainerStatus,
  deepEqual,
  type Json,
  type JsonObject,
  PODS,
  type Pod,
  type PodSpec,
  qosClass,
} from '#kube-api';
import { defineKind } from '../registry/kind.ts';
import { ageColumn, ageSince, nameColumn, text } from '../table/column.ts';
import { type FieldError, forbiddenField, required } from '../validation/field-error.ts';
import { dnsSubdomain } from '../validation/names.ts';
import { defaultPodSpec } from './pod/defaults.ts';
import { withServiceAccount } from './pod/service-account.ts';
import { validatePodSpec } from './pod/validate-spec.ts';

export const pod = defineKind<Pod>({
  resource: PODS,
  definition: 'io.k8s.api.core.v1.Pod',
  singular: 'pod',
  shortNames: ['po'],
  categories: ['all'],
  nameRule: dnsSubdomain,
  subresources: [
    'status',
    'ephemeralcontainers',
    'binding',
    'eviction',
    'log',
    'exec',
    'attach',
    'portforward',
  ],
  selectableFields: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.nominatedNodeName',
  ],
  hasGeneration: true,
  defaults: (object) =>
    object.spec === undefined
      ? object
      : {
          ...object,
          spec: {
            ...defaultPodSpec(object.spec),
            enableServiceLinks: object.spec.enableServiceLinks ?? true,
          },
        },
  create: (object, context) => ({
    ...object,
    ...(object.spec !== undefined && { spec: withServiceAccount(object, object.spec, context) }),
    status: { phase: 'Pending', qosClass: qosClass(object.spec) },
  }),
  validate: (object) =>
    object.spec === undefined ? [required('spec.containers')] : validatePodSpec(object.spec, 'spec'),
  validateUpdate: (object, old, part) =>
    part === 'ephemeralcontainers'
      ? validateEphemeralContainers(object.spec, old.spec)
      : validatePodUpdate(object, old),
  gracePeriod(object, requested) {
    const grace = requested ?? object.spec?.terminationGracePeriodSeconds ?? 30;
    // Nothing runs, so nothing has to end. Source: pkg/registry/core/pod/strategy.go CheckGracefulDelete.
    if ((object.spec?.nodeName ?? '') === '') return 0;
    if (object.status?.phase === 'Succeeded' || object.status?.phase === 'Failed') return 0;
    return grace < 0 ? 1 : grace;
  },
  columns: [
    nameColumn,
    text('Ready', readyColumn, {
      description: 'The aggregate readiness state of this pod for accepting traffic.',
    }),
    text('Status', (object) => podReason(object), {
      description: 'The aggregate status of the containers in this pod.',
    }),
    text('Restarts', restartsColumn, {
      description:
        'The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.',
    }),
    ageColumn,
    text('IP', (object) => object.status?.podIPs?.[0]?.ip ?? object.status?.podIP ?? '<none>', {
      wide: true,
    }),
    text('Node', (object) => object.spec?.nodeName || '<none>', { wide: true }),
    text('Nominated Node', (object) => object.status?.nominatedNodeName || '<none>', { wide: true }),
    text('Readiness Gates', readinessGatesColumn, { wide: true }),
  ],
});

const FORBIDDEN =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function validatePodUpdate(object: Pod, old: Pod): readonly FieldError[] {
  const fixed = (spec: PodSpec | undefined): JsonObject => {
    const { activeDeadlineSeconds, tolerations, containers, initContainers, schedulingGates, ...rest } =
      asObject(spec);
    const withoutImages = (list: Json | undefined): Json | undefined =>
      Array.isArray(list)
        ? (list as readonly Json[]).map((item): Json => {
            const { image: _image, ...others } = asObject(item);
            return others;
          })
        : list;
    return { ...rest, containers: withoutImages(containers), initContainers: withoutImages(initContainers) };
  };
  return deepEqual(fixed(object.spec), fixed(old.spec)) ? [] : [forbiddenField('spec', FORBIDDEN)];
}

/** More may be added, and none of those there are changes or goes. Source: pkg/apis/core/validation ValidatePodEphemeralContainersUpdate. */
function validateEphemeralContainers(
  spec: PodSpec | undefined,
  old: PodSpec | undefined,
): readonly FieldError[] {
  const now = new Map((spec?.ephemeralContainers ?? []).map((container) => [container.name, container]));
  return (old?.ephemeralContainers ?? []).flatMap((container) => {
    const next = now.get(container.name);
    if (next !== undefined && deepEqual(asObject(next), asObject(container))) return [];
    const what = next === undefined ? 'removed' : 'changed';
    return [
      forbiddenField(
        'spec.ephemeralContainers',
        `existing ephemeral containers ${JSON.stringify(container.name)} may not be ${what}`,
      ),
    ];
  });
}

function readyColumn({ spec, status }: Pod): string {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const names = new Set(sidecars.map(({ name }) => name));
  const statuses = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => names.has(name)),
  ];
  const ready = statuses.filter((container) => container.ready).length;
  return `${ready}/${(spec?.containers ?? []).length + sidecars.length}`;
}

/** The word in the STATUS column. Source: pkg/printers/internalversion printPod. */
export function podReason({ metadata, spec, status }: Pod): string {
  let reason = status?.reason || status?.phase || 'Unknown';
  for (const condition of status?.conditions ?? [])
    if (condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated')
      reason = condition.reason;
  const initializing = initReason(spec, status?.initContainerStatuses ?? []);
  if (initializing !== undefined) reason = initializing;
  else {
    let running = false;
    for (const { state, ready } of [...(status?.containerStatuses ?? [])].reverse()) {
      if (state?.waiting?.reason) reason = state.waiting.reason;
      else if (state?.terminated !== undefined) reason = terminatedReason(state.terminated);
      else if (ready && state?.running !== undefined) running = true;
    }
    if (reason === 'Completed' && running)
      reason = status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True')
        ? 'Running'
        : 'NotReady';
  }
  if (metadata?.deletionTimestamp !== undefined) {
    if (status?.reason === 'NodeLost') return 'Unknown';
    if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') return 'Terminating';
  }
  return reason;
}

function terminatedReason(state: {
  readonly reason?: string;
  readonly signal?: number;
  readonly exitCode?: number;
}) {
  if (state.reason) return state.reason;
  return state.signal ? `Signal:${state.signal}` : `ExitCode:${state.exitCode ?? 0}`;
}

function initReason(spec: PodSpec | undefined, statuses: readonly ContainerStatus[]): string | undefined {
  for (const [i, { name, state, started }] of statuses.entries()) {
    if (state?.terminated?.exitCode === 0) continue;
    const sidecar =
      spec?.initContainers?.find((container) => container.name === name)?.restartPolicy === 'Always';
    if (sidecar && started) continue;
    if (state?.terminated !== undefined) return `Init:${terminatedReason(state.terminated)}`;
    const waiting = state?.waiting?.reason;
    if (waiting && waiting !== 'PodInitializing') return `Init:${waiting}`;
    return `Init:${i}/${spec?.initContainers?.length ?? statuses.length}`;
  }
  return undefined;
}

function restartsColumn({ status }: Pod, now: number): string {
  const statuses = status?.containerStatuses ?? [];
  const count = statuses.reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0);
  const last = statuses
    .map(({ lastState }) => lastState?.terminated?.finishedAt ?? '')
    .toSorted()
    .at(-1);
  return count > 0 && last ? `${count} (${ageSince(last, now)} ago)` : String(count);
}

function readinessGatesColumn({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const passed = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status: value }) => type === conditionType && value === 'True'),
  );
  return `${passed.length}/${gates.length}`;
}
