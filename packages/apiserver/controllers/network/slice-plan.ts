import type { IpFamily } from '#ip';
import type { Endpoint, EndpointPort, EndpointSlice, Service } from '#kube-api';
import { deepEqual } from '#kube-api';
import { controllerReference, type Stored } from '../base/stored.ts';
import { type EndpointGroup, isHeadless, portsKey } from './endpoints-of-pods.ts';

const MAX_ENDPOINTS = 100;

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
const HEADLESS = 'service.kubernetes.io/headless';
const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

export type SliceManager = 'endpointslice-controller.k8s.io' | 'endpointslicemirroring-controller.k8s.io';

export interface SlicePlan {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly Stored<EndpointSlice>[];
  readonly remove: readonly Stored<EndpointSlice>[];
}

export interface SliceGoal {
  readonly service: Stored<Service>;
  readonly manager: SliceManager;
  /** What is wanted, by family; slices of other families go. */
  readonly groups: ReadonlyMap<IpFamily, readonly EndpointGroup[]>;
  /** When what is wanted came to be (RFC 3339), for measuring how long the network takes to follow. */
  readonly triggerTime?: string;
}

/**
 * The fewest writes from the slices that are to those that are wanted: endpoints stay where they are, new ones fill
 * slices that change anyway, then those with most in them that have room, then new slices.
 */
export function planSlices(goal: SliceGoal, existing: readonly Stored<EndpointSlice>[]): SlicePlan {
  const live = existing.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const plans = [...goal.groups].map(([family, groups]) =>
    planFamily(
      goal,
      family,
      groups,
      live.filter(({ addressType }) => addressType === family),
    ),
  );
  const strays = live.filter(({ addressType }) => !goal.groups.has(addressType as IpFamily));
  return {
    create: plans.flatMap(({ create }) => create),
    update: plans.flatMap(({ update }) => update),
    remove: [...plans.flatMap(({ remove }) => remove), ...strays],
  };
}

function planFamily(
  goal: SliceGoal,
  family: IpFamily,
  groups: readonly EndpointGroup[],
  existing: readonly Stored<EndpointSlice>[],
): SlicePlan {
  // A Service without endpoints keeps one empty slice, so that it is told from one that nobody looked at.
  const wanted = groups.length === 0 ? [{ ports: [], endpoints: [] }] : groups;
  const keys = new Map(wanted.map((group) => [portsKey(group.ports), group]));
  const plans = wanted.map((group) =>
    planGroup(
      goal,
      family,
      group,
      existing.filter((slice) => portsKey(slice.ports ?? []) === portsKey(group.ports)),
    ),
  );
  const strays = existing.filter((slice) => !keys.has(portsKey(slice.ports ?? [])));
  // A slice whose ports nobody has any more takes what would need a new one: a write less.
  const create = plans.flatMap((plan) => plan.create);
  const reused = strays.slice(0, create.length).flatMap((slice, index) => {
    const { ports = [], endpoints = [] } = create[index] ?? {};
    return updated(goal, slice, ports, endpoints) ?? [];
  });
  return {
    create: create.slice(strays.length),
    update: [...plans.flatMap((plan) => plan.update), ...reused],
    remove: [...plans.flatMap((plan) => plan.remove), ...strays.slice(create.length)],
  };
}

function planGroup(
  goal: SliceGoal,
  family: IpFamily,
  group: EndpointGroup,
  existing: readonly Stored<EndpointSlice>[],
): SlicePlan {
  const pending = new Map(group.endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const drafts = existing.map((slice) => {
    const endpoints = (slice.endpoints ?? []).flatMap((held) => {
      const key = endpointKey(held);
      const current = pending.get(key);
      pending.delete(key);
      return current ?? [];
    });
    return { slice, endpoints, changed: !deepEqual(endpoints, slice.endpoints ?? []) };
  });
  const rest = [...pending.values()];
  const byUse = drafts.toSorted(
    (a, b) => Number(b.changed) - Number(a.changed) || b.endpoints.length - a.endpoints.length,
  );
  for (const draft of byUse) {
    const taken = rest.splice(0, MAX_ENDPOINTS - draft.endpoints.length);
    draft.endpoints.push(...taken);
  }
  const used = drafts.filter(({ endpoints }) => endpoints.length > 0);
  const keep =
    used.length > 0 || rest.length > 0 ? used : drafts.slice(0, group.endpoints.length === 0 ? 1 : 0);
  const needed = rest.length === 0 && keep.length === 0 ? 1 : Math.ceil(rest.length / MAX_ENDPOINTS);
  return {
    create: Array.from({ length: needed }, (_, i) =>
      newSlice(goal, family, group.ports, rest.slice(i * MAX_ENDPOINTS, (i + 1) * MAX_ENDPOINTS)),
    ),
    update: keep.flatMap(({ slice, endpoints }) => updated(goal, slice, group.ports, endpoints) ?? []),
    remove: drafts.filter((draft) => !keep.includes(draft)).map(({ slice }) => slice),
  };
}

/** The slice with these endpoints and the Service's labels; undefined when that is what it is. */
function updated(
  goal: SliceGoal,
  slice: Stored<EndpointSlice>,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
): Stored<EndpointSlice> | undefined {
  const labels = labelsFor(goal);
  const same =
    deepEqual(slice.endpoints ?? [], endpoints) &&
    deepEqual(slice.metadata.labels, labels) &&
    portsKey(slice.ports ?? []) === portsKey(ports);
  if (same) return undefined;
  const metadata = { ...slice.metadata, labels, annotations: annotationsFor(goal, slice) };
  return { ...slice, metadata, endpoints, ports };
}

function newSlice(
  goal: SliceGoal,
  family: IpFamily,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
): EndpointSlice {
  const { name, namespace } = goal.service.metadata;
  return {
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: labelsFor(goal),
      annotations: annotationsFor(goal),
      ownerReferences: [controllerReference(goal.service)],
    },
    addressType: family,
    endpoints,
    ports,
  };
}

/** The Service's own labels, for who selects slices by them, and those that say whose they are. */
function labelsFor({ service, manager }: SliceGoal): Readonly<Record<string, string>> {
  const { [HEADLESS]: _, ...labels } = service.metadata.labels ?? {};
  return {
    ...labels,
    [SERVICE_NAME]: service.metadata.name,
    [MANAGED_BY]: manager,
    ...(isHeadless(service) ? { [HEADLESS]: '' } : {}),
  };
}

function annotationsFor(
  { triggerTime }: SliceGoal,
  held?: Stored<EndpointSlice>,
): Readonly<Record<string, string>> {
  const { [TRIGGER_TIME]: _, ...annotations } = held?.metadata.annotations ?? {};
  return triggerTime === undefined ? annotations : { ...annotations, [TRIGGER_TIME]: triggerTime };
}

function endpointKey({ addresses, targetRef }: Endpoint): string {
  return `${addresses[0]} ${targetRef?.uid ?? ''}`;
}
