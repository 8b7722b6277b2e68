export { createKubeClient } from './client.ts';
export type { ClientConfig } from './config.ts';
export {
  ApiError,
  type FailureStatus,
  isAlreadyExists,
  isConflict,
  isNotFound,
} from './errors.ts';
export { EventRecorder, type EventType } from './event-recorder.ts';
export { FakeKubeClient } from './fake/fake-client.ts';
export { MemoryInformer } from './fake/memory-informer.ts';
export { createInformer, type IndexedInformer, type InformerDeps } from './informer.ts';
export { loadKubeconfig } from './kubeconfig.ts';
export { loadClientConfig } from './load-config.ts';
export type * from './ports.ts';
export { unlessGone } from './unless-gone.ts';
