import { type AddressPlan, API_SERVER_PORT } from './addresses.ts';
import { certificatePath, keyPath } from './credentials.ts';
import { KUBELET_SOCKET, type LabPaths } from './paths.ts';

/** The API server's command line; it finds its listening sockets at descriptors 3 (the user's) and 4 (the nodes'). */
export function apiServerCommand(
  program: readonly string[],
  paths: LabPaths,
  plans: readonly [AddressPlan, ...AddressPlan[]],
): readonly string[] {
  const [first] = plans;
  return [
    ...program,
    'apiserver',
    ...['--data-dir', paths.data],
    ...['--listen-fd', '3'],
    ...['--listen-fd', '4'],
    ...['--advertise-address', first.routerOnLan],
    ...['--advertise-port', String(API_SERVER_PORT)],
    ...['--tls-cert', certificatePath(paths, 'apiserver')],
    ...['--tls-key', keyPath(paths, 'apiserver')],
    ...['--client-ca', certificatePath(paths, 'authority')],
    ...plans.flatMap(({ serviceCidr }) => ['--service-cidr', serviceCidr]),
    ...plans.flatMap(({ clusterCidr }) => ['--cluster-cidr', clusterCidr]),
    ...['--cluster-dns', first.clusterDns],
    ...['--kubelet-socket', KUBELET_SOCKET],
  ];
}
