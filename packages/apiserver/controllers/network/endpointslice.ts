import type { IpFamily } from '#ip';
import {
  ENDPOINT_SLICES,
  type EndpointSlice,
  matchesServiceSelector,
  type Node,
  type Service,
} from '#kube-api';
import { unlessGone } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { each, keyOf, startKeyedController } from '../base/keyed-controller.ts';
import type { StoredPod } from '../base/pods.ts';
import { nameOf, type Stored, storedResource } from '../base/stored.ts';
import { endpointGroups } from './endpoints-of-pods.ts';
import { MANAGED_BY, planSlices, type SliceManager, type SlicePlan } from './slice-plan.ts';

const MANAGER = 'endpointslice-controller.k8s.io';

/** Tells in EndpointSlices which Pods stand behind each Service with a selector. */
export function startEndpointSliceController(context: ControllerContext): AsyncDisposable {
  const { clock, informers } = context;
  const { services, pods, nodes } = informers;
  /** When the first change that a Service has not followed yet was seen. */
  const since = new Map<string, number>();

  async function reconcile(key: string): Promise<undefined> {
    const service = services.get(key);
    const changedAt = since.get(key) ?? clock.now();
    since.delete(key);
    if (service === undefined || !hasSelector(service)) return;
    const selected = pods.byIndex('namespace', service.metadata.namespace);
    const groups = new Map(
      familiesOf(service).map((family) => [
        family,
        endpointGroups(service, selected, family, (name) => nodes.get(name)),
      ]),
    );
    const triggerTime = new Date(changedAt).toISOString();
    await applySlices(
      context,
      planSlices({ service, manager: MANAGER, groups, triggerTime }, ownSlices(context, key, MANAGER)),
    );
  }

  return startKeyedController(context, 'endpointslice', reconcile, (trigger) => {
    const changed = (key: string) => {
      if (!since.has(key)) since.set(key, clock.now());
      trigger(key);
    };
    return [
      each(services, (current, old) => changed(keyOf((current ?? old) as Stored<Service>))),
      pods.onChange((current, old) => {
        for (const service of servicesOf(
          informers.services.byIndex('namespace', (current ?? old)?.metadata.namespace ?? ''),
          current,
          old,
        ))
          changed(keyOf(service));
      }),
      // Endpoints and their hints tell the zones of nodes.
      each(nodes, (current, old) => {
        if (zoneOf(current) === zoneOf(old)) return;
        for (const service of services.list()) if (hasSelector(service)) changed(keyOf(service));
      }),
      // Somebody else changed or removed a slice of ours.
      informers.endpointSlices.onChange((current, old) => {
        const name = (current ?? old)?.metadata.labels?.['kubernetes.io/service-name'];
        if (name !== undefined) trigger(`${(current ?? old)?.metadata.namespace}/${name}`);
      }),
    ];
  });
}

function zoneOf(node: Stored<Node> | undefined): string | undefined {
  return node?.metadata.labels?.['topology.kubernetes.io/zone'];
}

/** The slices of the Service `key` that `manager` keeps. */
export function ownSlices(
  { informers }: ControllerContext,
  key: string,
  manager: SliceManager,
): readonly Stored<EndpointSlice>[] {
  return informers.endpointSlices
    .byIndex('service', key)
    .filter(({ metadata }) => metadata.labels?.[MANAGED_BY] === manager);
}

export async function applySlices({ client, informers }: ControllerContext, plan: SlicePlan): Promise<void> {
  const { endpointSlices } = informers;
  const resource = storedResource(ENDPOINT_SLICES);
  for (const slice of plan.update) endpointSlices.learn(await client.update(resource, slice));
  for (const slice of plan.create)
    endpointSlices.learn(await client.create(resource, slice as Stored<EndpointSlice>));
  for (const slice of plan.remove) {
    await unlessGone(async () => {
      await client.delete(resource, nameOf(slice), { preconditions: { uid: slice.metadata.uid } });
    });
  }
}

export function hasSelector({ spec }: Service): boolean {
  return spec?.type !== 'ExternalName' && Object.keys(spec?.selector ?? {}).length > 0;
}

export function familiesOf({ spec }: Service): readonly IpFamily[] {
  const families = (spec?.ipFamilies ?? []).filter(
    (family): family is IpFamily => family === 'IPv4' || family === 'IPv6',
  );
  return families.length > 0 ? families : ['IPv4'];
}

/** The Services that a Pod's change concerns: those that select it now, or did before. */
export function servicesOf(
  services: readonly Stored<Service>[],
  current: StoredPod | undefined,
  old: StoredPod | undefined,
): readonly Stored<Service>[] {
  return services.filter(({ spec }) =>
    [current, old].some(
      (pod) => pod !== undefined && matchesServiceSelector(spec?.selector, pod.metadata.labels),
    ),
  );
}
