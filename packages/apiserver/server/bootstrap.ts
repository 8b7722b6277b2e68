import { addressAt, parsePrefix } from '#ip';
import {
  deepEqual,
  ENDPOINT_SLICES,
  ENDPOINTS,
  type JsonObject,
  NAMESPACES,
  type ObjectMeta,
  type Resource,
  SERVICE_ACCOUNTS,
  SERVICES,
  type Service,
} from '#kube-api';
import type { Kind } from '../registry/kind.ts';
import type { Registry } from '../registry/registry.ts';
import { StatusError } from '../status.ts';
import type { ApiServerOptions } from './options.ts';

const MANAGER = 'kube-apiserver';
const NAMESPACE_NAMES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'] as const;

/** Makes the objects that every cluster has, and corrects the endpoint of Service `kubernetes`. */
export function bootstrap(
  registry: Registry,
  findKind: (resource: Resource<unknown>) => Kind,
  options: Pick<ApiServerOptions, 'serviceCidrs' | 'clusterDns' | 'advertise'>,
): void {
  const ensure = (
    resource: Resource<unknown>,
    object: Readonly<Record<string, unknown>> & { readonly metadata: ObjectMeta },
  ) => {
    const kind = findKind(resource);
    const { name = '', namespace } = object.metadata;
    try {
      registry.create(kind, namespace, object, { manager: MANAGER });
    } catch (error) {
      if (!(error instanceof StatusError) || error.status.reason !== 'AlreadyExists') throw error;
      const current = registry.get({ kind, namespace, name });
      const wanted = {
        ...current,
        ...(object as unknown as JsonObject),
        metadata: current['metadata'] ?? {},
      };
      // Addresses and policies that were chosen at first stay.
      if (resource !== SERVICES && !deepEqual(current, wanted))
        registry.update({ kind, namespace, name }, wanted, { manager: MANAGER });
    }
  };
  for (const name of NAMESPACE_NAMES) {
    if (registry.list(findKind(NAMESPACES), { name }).items.length === 0)
      ensure(NAMESPACES, { metadata: { name } });
    if (registry.list(findKind(SERVICE_ACCOUNTS), { namespace: name, name: 'default' }).items.length === 0)
      ensure(SERVICE_ACCOUNTS, { metadata: { name: 'default', namespace: name } });
  }
  const [serviceCidr] = options.serviceCidrs;
  if (serviceCidr === undefined) return;
  const range = parsePrefix(serviceCidr);
  ensure(SERVICES, kubernetesService(addressAt(range, 1)));
  ensure(SERVICES, dnsService(options.clusterDns ?? addressAt(range, 10)));
  if (options.advertise === undefined) return;
  const { address, port } = options.advertise;
  const labels = { 'kubernetes.io/service-name': 'kubernetes' };
  ensure(ENDPOINT_SLICES, {
    metadata: { name: 'kubernetes', namespace: 'default', labels },
    addressType: address.includes(':') ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  });
  ensure(ENDPOINTS, {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: [{ addresses: [{ ip: address }], ports: [{ name: 'https', port, protocol: 'TCP' }] }],
  });
}

function kubernetesService(
  clusterIP: string,
): Service & { readonly metadata: ObjectMeta } & Readonly<Record<string, unknown>> {
  return {
    metadata: {
      name: 'kubernetes',
      namespace: 'default',
      labels: { component: 'apiserver', provider: 'kubernetes' },
    },
    spec: { clusterIP, ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: 6443 }] },
  };
}

/** No selector and no endpoints: every node's agent answers on this address itself. */
function dnsService(
  clusterIP: string,
): Service & { readonly metadata: ObjectMeta } & Readonly<Record<string, unknown>> {
  return {
    metadata: {
      name: 'kube-dns',
      namespace: 'kube-system',
      labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS' },
    },
    spec: {
      clusterIP,
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 53 },
        { name: 'dns-tcp', port: 53, protocol: 'TCP', targetPort: 53 },
      ],
    },
  };
}
