import { type Container, PODS, type Pod, type PodSpec, type ServiceAccount, type Volume } from '#kube-api';
import type { KindContext } from '../../registry/kind.ts';
import { generateName } from '../../registry/metadata.ts';
import { forbidden } from '../../status.ts';

/** Where a Pod finds its token, the API's CA and its namespace. */
const API_ACCESS_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** An hour, and what clocks may differ by. */
const TOKEN_SECONDS = 3607;
/** Every namespace gets it, if not at once. */
const DEFAULT_ACCOUNT = 'default';

/**
 * Gives a new Pod its service account and, unless it or the account does not want it, the volume with which it reaches the
 * API. Source: plugin/pkg/admission/serviceaccount.
 * @throws StatusError 403 when there is no such account
 */
export function withServiceAccount(pod: Pod, spec: PodSpec, context: KindContext): PodSpec {
  const name = spec.serviceAccountName || spec.serviceAccount || DEFAULT_ACCOUNT;
  const namespace = pod.metadata?.namespace ?? '';
  const account = context.find('serviceaccounts', `${namespace}/${name}`) as ServiceAccount | undefined;
  if (account === undefined && name !== DEFAULT_ACCOUNT)
    throw forbidden(
      PODS,
      pod.metadata?.name ?? '',
      `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
    );
  const named = { ...spec, serviceAccountName: name, serviceAccount: name };
  const wanted = spec.automountServiceAccountToken ?? account?.automountServiceAccountToken ?? true;
  return wanted ? withApiAccess(named, context) : named;
}

function withApiAccess(spec: PodSpec, { random }: KindContext): PodSpec {
  const lacksMount = ({ volumeMounts }: Container) =>
    !(volumeMounts ?? []).some(({ mountPath }) => mountPath === API_ACCESS_PATH);
  if (![...(spec.initContainers ?? []), ...spec.containers].some(lacksMount)) return spec;
  const volume = apiAccessVolume(generateName('kube-api-access-', random));
  const mount = (container: Container): Container =>
    lacksMount(container)
      ? {
          ...container,
          volumeMounts: [
            ...(container.volumeMounts ?? []),
            { name: volume.name, readOnly: true, mountPath: API_ACCESS_PATH },
          ],
        }
      : container;
  return {
    ...spec,
    ...(spec.initContainers !== undefined && { initContainers: spec.initContainers.map(mount) }),
    containers: spec.containers.map(mount),
    volumes: [...(spec.volumes ?? []), volume],
  };
}

function apiAccessVolume(name: string): Volume {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}
