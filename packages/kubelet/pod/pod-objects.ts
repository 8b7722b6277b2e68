import { CONFIG_MAPS, type Pod, type Resource, SECRETS, SERVICE_ACCOUNTS } from '#kube-api';
import { ApiError, type KubeClient } from '#kube-client';
import { type PodObjects, podReferences, tokenKey } from '../plan/references.ts';

/** Fetches what a Pod refers to; what is not there is left out, for the plan to judge whether it is needed. */
export async function fetchPodObjects(client: KubeClient, pod: Pod): Promise<PodObjects> {
  const references = podReferences(pod);
  const namespace = pod.metadata?.namespace ?? 'default';
  const fetchAll = async <T>(resource: Resource<T>, names: ReadonlySet<string>) => {
    const found = new Map<string, T>();
    await Promise.all(
      [...names].map(async (name) => {
        const object = await getIfThere(client, resource, namespace, name);
        if (object !== undefined) found.set(name, object);
      }),
    );
    return found;
  };
  const tokens = new Map<string, string>();
  for (const projection of references.tokens) {
    const token = await requestToken(client, pod, projection.audience, projection.expirationSeconds);
    if (token !== undefined) tokens.set(tokenKey(projection), token);
  }
  const [configMaps, secrets] = await Promise.all([
    fetchAll(CONFIG_MAPS, references.configMaps),
    fetchAll(SECRETS, references.secrets),
  ]);
  return { configMaps, secrets, tokens };
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
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** A TokenRequest bound to the Pod; undefined when the service account is not there. */
async function requestToken(
  client: KubeClient,
  pod: Pod,
  audience: string | undefined,
  expirationSeconds: number | undefined,
): Promise<string | undefined> {
  const { namespace = 'default', name = '', uid = '' } = pod.metadata ?? {};
  const account = pod.spec?.serviceAccountName ?? 'default';
  const spec = {
    audiences: audience === undefined ? [] : [audience],
    expirationSeconds: expirationSeconds ?? 3600,
    boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid },
  };
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec };
  try {
    const answer = await client.post(SERVICE_ACCOUNTS, { namespace, name: account }, 'token', request);
    return tokenOf(answer);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

function tokenOf(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('status' in answer)) return undefined;
  const { status } = answer;
  if (typeof status !== 'object' || status === null || !('token' in status)) return undefined;
  return typeof status.token === 'string' ? status.token : undefined;
}
