export { createKubeClient, type KubeClientDeps, type KubeClientOptions } from './client.ts';
export type { ClientConfig, Credentials } from './config.ts';
export {
  ApiError,
  ApiUnreachableError,
  type FailureStatus,
  isAlreadyExists,
  isConflict,
  isGone,
  isNotFound,
  type StatusDetails,
} from './errors.ts';
export { FakeKubeClient } from './fake/fake-client.ts';
export { loadInClusterConfig } from './in-cluster.ts';
export { createInformer, type IndexedInformer, type InformerDeps, type InformerOptions } from './informer.ts';
export { type KubeconfigOptions, loadKubeconfig } from './kubeconfig.ts';
export { compareResourceVersions, withoutManagedFields } from './metadata.ts';
export type * from './ports.ts';
