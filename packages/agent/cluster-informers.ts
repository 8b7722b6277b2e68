import { slimNamespace, slimPod } from '#dns';
import {
  ENDPOINT_SLICES,
  type EndpointSlice,
  NAMESPACES,
  type Namespace,
  NODES,
  type Node,
  PODS,
  type Pod,
  SERVICES,
  type Service,
} from '#kube-api';
import { createInformer, type Informer, type InformerDeps, type KubeClient } from '#kube-client';
import { slimEndpointSlice, slimNode, slimService } from './slim.ts';

/** What an agent knows of its cluster; its parts look at the same informers. */
export interface ClusterInformers {
  readonly nodes: Informer<Node>;
  readonly services: Informer<Service>;
  readonly endpointSlices: Informer<EndpointSlice>;
  /** Cluster DNS alone reads these. */
  readonly namespaces: Informer<Namespace>;
  readonly pods: Informer<Pod> | undefined;
}

/** Begins to watch, of each object no more than the agent reads. @param stack ends it @param wantsPods see {@link dnsWantsPods} */
export function watchCluster(
  client: KubeClient,
  wantsPods: boolean,
  deps: InformerDeps,
  stack: AsyncDisposableStack,
): ClusterInformers {
  return {
    nodes: stack.use(createInformer(client, NODES, { transform: slimNode }, deps)),
    services: stack.use(createInformer(client, SERVICES, { transform: slimService }, deps)),
    endpointSlices: stack.use(
      createInformer(client, ENDPOINT_SLICES, { transform: slimEndpointSlice }, deps),
    ),
    namespaces: stack.use(createInformer(client, NAMESPACES, { transform: slimNamespace }, deps)),
    pods: wantsPods ? stack.use(createInformer(client, PODS, { transform: slimPod }, deps)) : undefined,
  };
}
