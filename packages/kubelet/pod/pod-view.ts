import type { Container, ContainerState, Pod } from '#kube-api';

/** What the kubelet knows of one container. */
export interface ContainerView {
  readonly container: Container;
  readonly kind: 'init' | 'sidecar' | 'app' | 'ephemeral';
  readonly state: ContainerState;
  readonly lastState: ContainerState;
  readonly restartCount: number;
  readonly containerId: string;
  readonly imageId: string;
  /** The startup probe has passed, or there is none. */
  readonly started: boolean;
  readonly ready: boolean;
}

/** What the kubelet knows of a Pod: all that its status says follows from it. */
export interface PodView {
  readonly pod: Pod;
  readonly containers: readonly ContainerView[];
  readonly podIps: readonly string[];
  readonly hostIps: readonly string[];
  /** RFC 3339 */
  readonly startTime: string;
  readonly sandboxReady: boolean;
  /** Why the kubelet ended the Pod, if it did. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined;
  /** RFC 3339 */
  readonly now: string;
}

export type PodPhase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';
