export type { PodNetworkBackend } from './backend.ts';
export { readClusterNode } from './cluster-node.ts';
export { hostGw } from './host-gw.ts';
export { PodNetwork, removePodNetwork } from './pod-network.ts';
