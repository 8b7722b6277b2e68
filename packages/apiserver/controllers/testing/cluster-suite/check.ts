import type { KubeClient } from '#kube-client';
import type { FakeKubelets } from '../fake-kubelets.ts';

/** Three nodes and the controllers, just started. */
export interface Cluster {
  readonly client: KubeClient;
  readonly kubelets: FakeKubelets;
}

/** A test with a cluster of its own. */
export type Check = (what: string, body: (cluster: Cluster) => Promise<void>) => void;
