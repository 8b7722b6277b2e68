import { deepEqual, ENDPOINTS, type Endpoints, type Service } from '#kube-api';
import { unlessGone } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { each, keyOf, startKeyedController } from '../base/keyed-controller.ts';
import { nameOf, type Stored, storedResource } from '../base/stored.ts';
import { endpointGroups, isHeadless } from './endpoints-of-pods.ts';
import { familiesOf, hasSelector, servicesOf } from './endpointslice.ts';
import { subsetsOf } from './subsets.ts';

const MANAGED_BY = 'endpoints.kubernetes.io/managed-by';
const MANAGER = 'endpoint-controller';

/** Keeps the old `Endpoints` of each Service with a selector, for those who still read them. One family only. */
export function startEndpointsController(context: ControllerContext): AsyncDisposable {
  const { client, informers } = context;
  const { services, pods, nodes, endpoints } = informers;
  const resource = storedResource(ENDPOINTS);

  async function reconcile(key: string): Promise<undefined> {
    const service = services.get(key);
    const held = endpoints.get(key);
    if (service === undefined) {
      if (held !== undefined) await remove(held);
      return;
    }
    if (!hasSelector(service)) return;
    const [family = 'IPv4'] = familiesOf(service);
    const groups = endpointGroups(
      service,
      pods.byIndex('namespace', service.metadata.namespace),
      family,
      (name) => nodes.get(name),
    );
    const wanted = { subsets: subsetsOf(groups), labels: labelsFor(service) };
    if (held === undefined) {
      const { name, namespace } = service.metadata;
      const made: Endpoints = {
        metadata: { name, namespace, labels: wanted.labels },
        subsets: wanted.subsets,
      };
      endpoints.learn(await client.create(resource, made as Stored<Endpoints>));
    } else if (
      !deepEqual(held.subsets ?? [], wanted.subsets) ||
      !deepEqual(held.metadata.labels ?? {}, wanted.labels)
    ) {
      const metadata = { ...held.metadata, labels: wanted.labels };
      endpoints.learn(await client.update(resource, { ...held, metadata, subsets: wanted.subsets }));
    }
  }

  /** Endpoints mean nothing without their Service, whoever wrote them. */
  async function remove(held: Stored<Endpoints>): Promise<void> {
    await unlessGone(async () => {
      await client.delete(resource, nameOf(held), { preconditions: { uid: held.metadata.uid } });
    });
  }

  /** What is left of Services that were deleted while nobody looked. What people wrote may be there before its Service. */
  const leftOver = () =>
    endpoints
      .list()
      .filter(
        (held) => held.metadata.labels?.[MANAGED_BY] === MANAGER && services.get(keyOf(held)) === undefined,
      );

  return startKeyedController(context, 'endpoints', reconcile, (trigger) => {
    for (const held of leftOver()) trigger(keyOf(held));
    return [
      services.onChange((_, old) => {
        if (old !== undefined) trigger(keyOf(old));
      }),
      each(services, (current) => {
        if (current !== undefined) trigger(keyOf(current));
      }),
      pods.onChange((current, old) => {
        const near = services.byIndex('namespace', (current ?? old)?.metadata.namespace ?? '');
        for (const service of servicesOf(near, current, old)) trigger(keyOf(service));
      }),
      endpoints.onChange((current, old) => {
        const changed = current ?? old;
        if (changed !== undefined && services.get(keyOf(changed)) !== undefined) trigger(keyOf(changed));
      }),
    ];
  });
}

function labelsFor(service: Service): Readonly<Record<string, string>> {
  return {
    ...service.metadata?.labels,
    [MANAGED_BY]: MANAGER,
    ...(isHeadless(service) ? { 'service.kubernetes.io/headless': '' } : {}),
  };
}
