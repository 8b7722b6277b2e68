import { ipAdd, parseIp, parsePrefix } from '#ip';
import type { Kernel, NetworkNamespace } from '#kernel';
import type { EndpointSlice, Service } from '#kube-api';

export const CLIENT = parseIp('10.244.1.10');
export const SERVER = parseIp('10.244.2.10');
export const CLUSTER_IP = parseIp('10.96.0.10');
export const PORT = 80;
export const TARGET_PORT = 8080;

/** The Service that packets are sent through, TCP and UDP, with {@link SERVER} behind it. */
export const MEASURED: { readonly service: Service; readonly slice: EndpointSlice } = (() => {
  const ports = ['TCP', 'UDP'].map((protocol) => ({ name: protocol.toLowerCase(), protocol }));
  const name = 'measured';
  return {
    service: {
      metadata: { namespace: 'default', name },
      spec: {
        type: 'ClusterIP',
        clusterIP: CLUSTER_IP,
        clusterIPs: [CLUSTER_IP],
        ports: ports.map((port) => ({ ...port, port: PORT, targetPort: TARGET_PORT })),
      },
    },
    slice: {
      metadata: { namespace: 'default', name, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: ports.map((port) => ({ ...port, port: TARGET_PORT })),
      endpoints: [{ addresses: [SERVER], nodeName: 'node1' }],
    },
  };
})();

/** A node with a client's Pod and a server's on links of their own, as namespaces `node`, `client` and `server`. */
export function makePods(kernel: Kernel): Readonly<Record<'node' | 'client' | 'server', NetworkNamespace>> {
  const make = (name: string) => {
    const netns = kernel.createNetns(`/run/netns/${name}`);
    netns.links.set('lo', { up: true });
    return netns;
  };
  const [node, client, server] = [make('node'), make('client'), make('server')];
  for (const [name, pod, address] of [
    ['client', client, CLIENT],
    ['server', server, SERVER],
  ] as const) {
    const gateway = ipAdd(address, -9);
    node.links.add({ kind: 'veth', name, up: true, peer: { name: 'eth0', up: true, netns: pod } });
    node.addresses.add({ link: name, address: gateway, prefixLength: 24 });
    pod.addresses.add({ link: 'eth0', address, prefixLength: 24 });
    pod.routes.add({ destination: parsePrefix('0.0.0.0/0'), gateway });
  }
  node.sysctl.set('net.ipv4.ip_forward', '1');
  return { node, client, server };
}
