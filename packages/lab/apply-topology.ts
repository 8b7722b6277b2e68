import type { Kernel, NetworkNamespace } from '#kernel';
import { LabError } from './errors.ts';
import { netnsPath } from './paths.ts';
import { formatTopologyOperation, ROUTER, type TopologyNetns, type TopologyOperation } from './topology.ts';

/** rtm_protocol of routes that an administrator set (include/uapi/linux/rtnetlink.h): no program's own. */
const RTPROT_STATIC = 4;

/** The namespaces of a lab, open. */
export interface Topology extends Disposable {
  netns(name: TopologyNetns): NetworkNamespace;
}

/** Makes the planned network; the calling process's namespace is the router. @throws LabError naming the step that failed */
export function applyTopology(kernel: Kernel, operations: readonly TopologyOperation[]): Topology {
  const open = new Map<TopologyNetns, NetworkNamespace>([[ROUTER, kernel.currentNetns()]]);
  const netns = (name: TopologyNetns): NetworkNamespace => {
    const found = open.get(name);
    if (found === undefined) throw new LabError(`the lab has no network namespace ${name}`);
    return found;
  };
  for (const operation of operations) {
    try {
      if (operation.op === 'netns') open.set(operation.netns, kernel.createNetns(netnsPath(operation.netns)));
      else applyIn(netns(operation.netns), operation, netns);
    } catch (cause) {
      throw new LabError(`cannot make the lab's network: ${formatTopologyOperation(operation)}`, { cause });
    }
  }
  return {
    netns,
    [Symbol.dispose]: () => {
      for (const namespace of open.values()) namespace[Symbol.dispose]();
    },
  };
}

function applyIn(
  namespace: NetworkNamespace,
  operation: Exclude<TopologyOperation, { readonly op: 'netns' }>,
  netns: (name: TopologyNetns) => NetworkNamespace,
): void {
  switch (operation.op) {
    case 'sysctl':
      namespace.sysctl.set(operation.key, operation.value);
      return;
    case 'bridge':
      namespace.links.add({ kind: 'bridge', name: operation.name });
      return;
    case 'veth':
      namespace.links.add({
        kind: 'veth',
        name: operation.name,
        up: true,
        ...(operation.master === undefined ? {} : { master: operation.master }),
        peer: { name: operation.peer.name, netns: netns(operation.peer.netns) },
      });
      return;
    case 'address':
      namespace.addresses.add({
        link: operation.link,
        address: operation.address,
        prefixLength: operation.prefixLength,
      });
      return;
    case 'up':
      namespace.links.set(operation.link, { up: true });
      return;
    case 'route':
      namespace.routes.add({
        destination: operation.destination,
        gateway: operation.gateway,
        protocol: RTPROT_STATIC,
      });
      return;
  }
}
