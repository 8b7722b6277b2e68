import {
  CONFIG_MAPS,
  controllerOf,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  type KubeObject,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  type Pod,
  REPLICA_SETS,
  type Resource,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from '#kube-api';
import { createInformer, type IndexedInformer, type InformerDeps, type KubeClient } from '#kube-client';
import { asStored, type Stored, storedResource } from './stored.ts';

/** The kinds that controllers read, all of which the garbage collector looks after. */
export const FOLLOWED = {
  namespaces: NAMESPACES,
  nodes: NODES,
  pods: PODS,
  services: SERVICES,
  endpoints: ENDPOINTS,
  endpointSlices: ENDPOINT_SLICES,
  deployments: DEPLOYMENTS,
  replicaSets: REPLICA_SETS,
  serviceAccounts: SERVICE_ACCOUNTS,
  configMaps: CONFIG_MAPS,
  secrets: SECRETS,
  leases: LEASES,
} as const;

/** `owner`: each owner's uid. `controller`: the controlling owner's uid. `service`: `namespace/name` of a slice's Service. `node`: a Pod's node. */
type Index = 'owner' | 'controller' | 'namespace' | 'service' | 'node';

export type ControllerInformer<T> = IndexedInformer<Stored<T>, Index>;

/** One informer a kind, shared by all controllers. */
export type Informers = {
  readonly [K in keyof typeof FOLLOWED]: (typeof FOLLOWED)[K] extends Resource<infer T>
    ? ControllerInformer<T>
    : never;
};

export function createInformers(client: KubeClient, deps: InformerDeps): Informers {
  const informers = Object.entries(FOLLOWED).map(([name, resource]) => [
    name,
    follow(client, resource as Resource<KubeObject>, deps),
  ]);
  return Object.fromEntries(informers) as Informers;
}

function follow(
  client: KubeClient,
  resource: Resource<KubeObject>,
  deps: InformerDeps,
): ControllerInformer<KubeObject> {
  return createInformer<Stored<KubeObject>, Index>(
    client,
    storedResource(resource),
    { transform: asStored(resource), indexers: INDEXERS },
    deps,
  );
}

const INDEXERS: Readonly<Record<Index, (object: Stored<KubeObject>) => readonly string[]>> = {
  owner: ({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid),
  controller: (object) => [controllerOf(object)?.uid ?? []].flat(),
  namespace: ({ metadata }) => [metadata.namespace],
  service: ({ metadata }) => {
    const name = metadata.labels?.['kubernetes.io/service-name'];
    return name === undefined ? [] : [`${metadata.namespace}/${name}`];
  },
  node: (object) => [(object as Pod).spec?.nodeName ?? []].flat(),
};
