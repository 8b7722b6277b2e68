import { API_SERVER_PORT, CLUSTER_CIDR, CLUSTER_DNS, ROUTER_ON_LAN, SERVICE_CIDR } from './addresses.ts';
import { certificatePath, keyPath } from './credentials.ts';
import { KUBELET_SOCKET, type LabPaths } from './paths.ts';

/** The API server's command line; it finds its listening sockets at descriptors 3 (the user's) and 4 (the nodes'). */
export function apiServerCommand(program: readonly string[], paths: LabPaths): readonly string[] {
  return [
    ...program,
    'apiserver',
    ...['--data-dir', paths.data],
    ...['--listen-fd', '3'],
    ...['--listen-fd', '4'],
    ...['--advertise-address', ROUTER_ON_LAN],
    ...['--advertise-port', String(API_SERVER_PORT)],
    ...['--tls-cert', certificatePath(paths, 'apiserver')],
    ...['--tls-key', keyPath(paths, 'apiserver')],
    ...['--client-ca', certificatePath(paths, 'authority')],
    ...['--service-cidr', SERVICE_CIDR],
    ...['--cluster-cidr', CLUSTER_CIDR],
    ...['--cluster-dns', CLUSTER_DNS],
    ...['--kubelet-socket', KUBELET_SOCKET],
  ];
}
