import { CONFIG_MAPS, SERVICE_ACCOUNTS } from '#kube-api';
import { isAlreadyExists } from '#kube-client';
import type { ControllerContext } from '../base/context.ts';
import { each, startKeyedController } from '../base/keyed-controller.ts';

const SERVICE_ACCOUNT = 'default';
const ROOT_CA = 'kube-root-ca.crt';

/** Gives every namespace the service account `default`, and the certificate by which its Pods know the API server. */
export function startNamespaceDefaultsController(
  context: ControllerContext,
  rootCa: string,
): AsyncDisposable {
  const { client, informers } = context;
  const { namespaces, serviceAccounts, configMaps } = informers;

  async function reconcile(name: string): Promise<undefined> {
    const namespace = namespaces.get(name);
    if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return;
    if (serviceAccounts.get(`${name}/${SERVICE_ACCOUNT}`) === undefined)
      await unlessThere(() =>
        client.create(SERVICE_ACCOUNTS, { metadata: { namespace: name, name: SERVICE_ACCOUNT } }),
      );
    const held = configMaps.get(`${name}/${ROOT_CA}`);
    const data = { 'ca.crt': rootCa };
    if (held === undefined)
      await unlessThere(() =>
        client.create(CONFIG_MAPS, { metadata: { namespace: name, name: ROOT_CA }, data }),
      );
    else if (held.data?.['ca.crt'] !== rootCa)
      await client.patch(CONFIG_MAPS, { namespace: name, name: ROOT_CA }, 'merge', { data });
  }

  return startKeyedController(context, 'namespace-defaults', reconcile, (trigger) => [
    each(namespaces, (current) => {
      if (current !== undefined) trigger(current.metadata.name);
    }),
    serviceAccounts.onChange((current, old) => {
      if (current === undefined && old?.metadata.name === SERVICE_ACCOUNT) trigger(old.metadata.namespace);
    }),
    configMaps.onChange((current, old) => {
      const changed = current ?? old;
      if (changed?.metadata.name === ROOT_CA) trigger(changed.metadata.namespace);
    }),
  ]);
}

async function unlessThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
