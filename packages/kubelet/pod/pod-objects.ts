import { CONFIG_MAPS, type Resource, SECRETS } from '#kube-api';
import { isNotFound, type KubeClient } from '#kube-client';
import type { ObjectNames, PodObjects } from '../plan/references.ts';

/** Fetches what a Pod refers to; what is not there is left out, for the plan to judge whether it is needed. */
export async function fetchPodObjects(
  client: KubeClient,
  namespace: string,
  names: ObjectNames,
): Promise<PodObjects> {
  const fetchAll = async <T>(resource: Resource<T>, wanted: ReadonlySet<string>) => {
    const found = new Map<string, T>();
    await Promise.all(
      [...wanted].map(async (name) => {
        const object = await getIfThere(client, resource, namespace, name);
        if (object !== undefined) found.set(name, object);
      }),
    );
    return found;
  };
  const [configMaps, secrets] = await Promise.all([
    fetchAll(CONFIG_MAPS, names.configMaps),
    fetchAll(SECRETS, names.secrets),
  ]);
  return { configMaps, secrets };
}

async function getIfThere<T>(
  client: KubeClient,
  resource: Resource<T>,
  namespace: string,
  name: string,
): Promise<T | undefined> {
  try {
    return await client.get(resource, { namespace, name });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
