import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  EVENTS,
  type KubeObject,
  LEASES,
  NAMESPACES,
  PODS,
  REPLICA_SETS,
  type Resource,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '#kube-api';
import { unlessGone } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { each, startKeyedController } from '../base/keyed-controller.ts';

/** Owners before what they own, so that nothing is made anew meanwhile. */
const CONTENTS: readonly Resource<KubeObject>[] = [
  DEPLOYMENTS,
  REPLICA_SETS,
  PODS,
  SERVICES,
  ENDPOINTS,
  ENDPOINT_SLICES,
  CONFIG_MAPS,
  SECRETS,
  SERVICE_ACCOUNTS,
  LEASES,
  EVENTS,
] as readonly Resource<KubeObject>[];

/** What is left is looked at again after this long, should a change be missed. Milliseconds. */
const LOOK_AGAIN_MS = 1000;

/** Empties namespaces that are to go, then lets them. */
export function startNamespaceController(context: ControllerContext): AsyncDisposable {
  const { client, informers } = context;
  const { namespaces } = informers;

  async function reconcile(name: string): Promise<number | undefined> {
    const namespace = namespaces.get(name);
    if (namespace?.metadata.deletionTimestamp === undefined) return undefined;
    if ((namespace.spec?.finalizers ?? []).length === 0) return undefined;
    let left = 0;
    for (const resource of CONTENTS) left += await empty(resource, name);
    if (left > 0) return LOOK_AGAIN_MS;
    await finalize(name);
    return undefined;
  }

  /** Resolves to how many objects will need a while longer. */
  async function empty(resource: Resource<KubeObject>, namespace: string): Promise<number> {
    const { items } = await client.list(resource, { namespace });
    for (const { metadata } of items) {
      if (metadata?.deletionTimestamp !== undefined) continue;
      await unlessGone(() => client.delete(resource, { namespace, name: metadata?.name ?? '' }));
    }
    return items.length === 0 ? 0 : (await client.list(resource, { namespace })).items.length;
  }

  async function finalize(name: string): Promise<void> {
    await unlessGone(async () => {
      const held = await client.get(NAMESPACES, { name });
      const finalizers = (held.spec?.finalizers ?? []).filter((finalizer) => finalizer !== 'kubernetes');
      await client.update(NAMESPACES, { ...held, spec: { ...held.spec, finalizers } }, 'finalize');
    });
  }

  return startKeyedController(context, 'namespace', reconcile, (trigger) => [
    each(namespaces, (current) => {
      if (current?.metadata.deletionTimestamp !== undefined) trigger(current.metadata.name);
    }),
    informers.pods.onChange((current, old) => {
      if (current === undefined && old !== undefined) trigger(old.metadata.namespace);
    }),
  ]);
}
