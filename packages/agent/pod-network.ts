import { BRIDGE } from '#cni';
import type { NetworkNamespace } from '#kernel';
import { hostGw, PodNetwork, type PodNetworkBackend } from '#pod-network';
import type { Logger } from '#runtime';
import type { AgentOptions } from './options.ts';

const BACKENDS: Readonly<Record<AgentOptions['podNetwork'], PodNetworkBackend>> = { 'host-gw': hostGw };

export function createPodNetwork(options: AgentOptions, netns: NetworkNamespace, logger: Logger): PodNetwork {
  const { nodeName, clusterCidrs, serviceCidrs, masquerade } = options;
  return new PodNetwork(
    { netns, backend: BACKENDS[options.podNetwork], logger },
    { nodeName, clusterCidrs, serviceCidrs, masquerade, podLinks: [BRIDGE] },
  );
}
