import { parsePrefix } from '#ip';
import type { NetworkNamespace } from '#kernel';
import type { EndpointSlice, Node, Service } from '#kube-api';
import { MemoryInformer } from '#kube-client';
import { silentLogger, systemClock } from '#runtime';
import { createBackend, createServiceProxy, type ProxyMechanism, type SyncReport } from '#service-proxy';
import { service, slice } from './objects.ts';

export const NODE: Node = {
  metadata: { name: 'node1' },
  spec: { podCIDR: '11.0.0.0/24', podCIDRs: ['11.0.0.0/24', '10.244.0.0/16'] },
  status: { addresses: [{ type: 'InternalIP', address: '172.30.0.11' }] },
};

/** The agent's own controller and backend over so many Services, fed by hand in the place of watches; not started. */
export function fedProxy(
  netns: NetworkNamespace,
  mechanism: ProxyMechanism,
  { services: count, endpoints }: { readonly services: number; readonly endpoints: number },
) {
  const services = new MemoryInformer<Service>();
  const slices = new MemoryInformer<EndpointSlice>();
  const nodes = new MemoryInformer<Node>();
  nodes.set(NODE);
  for (let i = 0; i < count; i++) {
    services.set(service(i));
    slices.set(slice(i, endpoints));
  }
  const start = (onSync: (report: SyncReport) => void = () => {}, checkMs?: number) =>
    createServiceProxy(
      {
        services,
        endpointSlices: slices,
        nodes,
        backend: createBackend(mechanism, { netns, clock: systemClock, logger: silentLogger }),
        conntrack: netns.conntrack,
        logger: silentLogger,
        onSync,
      },
      {
        nodeName: 'node1',
        clusterCIDRs: [parsePrefix('11.0.0.0/8'), parsePrefix('10.244.0.0/16')],
        serviceCIDRs: [parsePrefix('10.96.0.0/12')],
        localAddresses: [],
        ...(checkMs !== undefined && { checkMs }),
      },
    );
  return { services, slices, start };
}
