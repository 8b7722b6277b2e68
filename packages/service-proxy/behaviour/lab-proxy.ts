import type { EndpointSlice, Node, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { silentLogger } from '#runtime';
import type { ProxyBackend } from '../backend.ts';
import { createServiceProxy, type ServiceProxy } from '../proxy.ts';
import { FACTS, NODE_ADDRESS } from './cluster.ts';
import type { NamespaceLab } from './namespace-lab.ts';

const NODE: Node = {
  metadata: { name: 'node1' },
  spec: { podCIDRs: ['10.244.1.0/24'] },
  status: { addresses: [{ type: 'InternalIP', address: NODE_ADDRESS }] },
};

interface LabProxyDeps {
  readonly services: MemoryInformer<Service>;
  readonly endpointSlices: MemoryInformer<EndpointSlice>;
  readonly backend: ProxyBackend;
  readonly predecessors?: readonly ProxyBackend[];
}

/** The proxy of the lab's node, as the agent runs it. */
export function createLabProxy(
  lab: NamespaceLab,
  deps: LabProxyDeps,
  options: { readonly checkMs?: number } = {},
): ServiceProxy {
  return createServiceProxy(
    {
      ...deps,
      nodes: new MemoryInformer<Node>([NODE]),
      conntrack: lab.node.conntrack,
      logger: silentLogger,
    },
    {
      nodeName: 'node1',
      clusterCIDRs: FACTS.clusterCIDRs,
      serviceCIDRs: FACTS.serviceCIDRs,
      localAddresses: FACTS.localAddresses,
      ...options,
    },
  );
}
