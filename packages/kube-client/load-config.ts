import type { ClientConfig } from './config.ts';
import { loadInClusterConfig } from './in-cluster.ts';
import { loadKubeconfig } from './kubeconfig.ts';

/** The way to the API server for a program of ours: the kubeconfig it was given, or else the Pod it runs in. */
export function loadClientConfig(kubeconfig: string | undefined): Promise<ClientConfig> {
  return kubeconfig === undefined ? loadInClusterConfig() : loadKubeconfig({ paths: [kubeconfig] });
}
