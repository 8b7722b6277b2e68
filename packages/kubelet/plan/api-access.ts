import type { Pod, Volume } from '#kube-api';

/** Where a Pod finds its token, the API's CA and its namespace. */
export const API_ACCESS_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Kubernetes' admission asks for an hour and seven seconds, so that a token of an hour is never refused. */
const TOKEN_SECONDS = 3607;

/**
 * The volume that Kubernetes' admission gives Pods, for one that comes without: undefined when the Pod does not want
 * it, or brings its own.
 */
export function apiAccessVolume(pod: Pod): Volume | undefined {
  if (pod.spec?.automountServiceAccountToken === false) return undefined;
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  if (
    containers.every(({ volumeMounts }) =>
      volumeMounts?.some(({ mountPath }) => mountPath === API_ACCESS_PATH),
    )
  )
    return undefined;
  return {
    name: 'kube-api-access',
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: TOKEN_SECONDS } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  };
}
