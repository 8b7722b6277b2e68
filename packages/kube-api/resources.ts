import type {
  ConfigMap,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  EventsEvent,
  Lease,
  Namespace,
  Node,
  Pod,
  ReplicaSet,
  Secret,
  Service,
  ServiceAccount,
} from './generated/types.ts';
import type { Resource } from './resource.ts';

export const NAMESPACES: Resource<Namespace> = cluster('', 'v1', 'namespaces', 'Namespace');
export const NODES: Resource<Node> = cluster('', 'v1', 'nodes', 'Node');
export const PODS: Resource<Pod> = namespaced('', 'v1', 'pods', 'Pod');
export const SERVICES: Resource<Service> = namespaced('', 'v1', 'services', 'Service');
export const ENDPOINTS: Resource<Endpoints> = namespaced('', 'v1', 'endpoints', 'Endpoints');
export const CONFIG_MAPS: Resource<ConfigMap> = namespaced('', 'v1', 'configmaps', 'ConfigMap');
export const SECRETS: Resource<Secret> = namespaced('', 'v1', 'secrets', 'Secret');
export const SERVICE_ACCOUNTS: Resource<ServiceAccount> = namespaced(
  '',
  'v1',
  'serviceaccounts',
  'ServiceAccount',
);
export const EVENTS: Resource<Event> = namespaced('', 'v1', 'events', 'Event');
/** The same stored objects as {@link EVENTS}, in the newer shape. */
export const EVENTS_EVENTS: Resource<EventsEvent> = namespaced('events.k8s.io', 'v1', 'events', 'Event');
export const DEPLOYMENTS: Resource<Deployment> = namespaced('apps', 'v1', 'deployments', 'Deployment');
export const REPLICA_SETS: Resource<ReplicaSet> = namespaced('apps', 'v1', 'replicasets', 'ReplicaSet');
export const LEASES: Resource<Lease> = namespaced('coordination.k8s.io', 'v1', 'leases', 'Lease');
export const ENDPOINT_SLICES: Resource<EndpointSlice> = namespaced(
  'discovery.k8s.io',
  'v1',
  'endpointslices',
  'EndpointSlice',
);

function cluster<T>(group: string, version: string, plural: string, kind: string): Resource<T> {
  return { group, version, plural, kind, namespaced: false };
}

function namespaced<T>(group: string, version: string, plural: string, kind: string): Resource<T> {
  return { group, version, plural, kind, namespaced: true };
}
