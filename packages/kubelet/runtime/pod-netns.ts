import type { NetworkNamespace } from '#kernel';

/** What starting a process in a network namespace needs of it. */
export type PodNetns = Pick<NetworkNamespace, 'run'>;
