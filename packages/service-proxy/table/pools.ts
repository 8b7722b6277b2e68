import type { Candidate } from './endpoints.ts';
import { DROP, type Endpoint, REJECT, type Target } from './entry.ts';
import type { NodeFacts } from './facts.ts';

/** Where new connections of one Service port go under each of the two traffic policies. */
export interface Pools {
  /** Policy `Cluster`: any node, narrowed by topology hints. */
  readonly cluster: Target;
  /** Policy `Local`: this node only; silence when the others have endpoints and this one has none. */
  readonly local: Target;
  readonly serving: readonly Endpoint[];
  /** Ready endpoints on this node, for the health check node port. */
  readonly readyLocal: readonly Endpoint[];
}

/**
 * Ready endpoints; when there is none, those that still serve while they terminate (KEP-1669), under each policy by
 * itself. No endpoint anywhere rejects; endpoints elsewhere only make `Local` drop, so that a client's retry or a load
 * balancer's health check finds another node.
 */
export function choosePools(all: readonly Candidate[], facts: Pick<NodeFacts, 'name' | 'zone'>): Pools {
  const ready = all.filter((candidate) => candidate.ready);
  const draining = all.filter((candidate) => candidate.serving && candidate.terminating);
  const isLocal = (candidate: Candidate) => candidate.endpoint.local;
  const cluster = ready.length > 0 ? nearest(ready, facts) : draining;
  const readyLocal = ready.filter(isLocal);
  const local = readyLocal.length > 0 ? readyLocal : draining.filter(isLocal);
  const serving = all.filter((candidate) => candidate.serving || candidate.ready);
  const clusterEndpoints = endpointsOf(cluster);
  // Equal pools share one array: most Services have no more than one, and there are many Services.
  const share = (list: readonly Candidate[]) =>
    list.length === cluster.length && list.every((candidate, i) => candidate === cluster[i])
      ? clusterEndpoints
      : endpointsOf(list);
  return {
    cluster: cluster.length > 0 ? { kind: 'endpoints', endpoints: clusterEndpoints } : REJECT,
    local:
      local.length > 0 ? { kind: 'endpoints', endpoints: share(local) } : cluster.length > 0 ? DROP : REJECT,
    serving: share(serving),
    readyLocal: share(readyLocal),
  };
}

/**
 * Topology hints (`hints.forNodes`, `hints.forZones`), which the EndpointSlice controller writes for topology aware
 * routing and for `trafficDistribution`. They count only when every ready endpoint has them and one is for us: a partial set means
 * that the controller is in the middle of a change (KEP-2433, KEP-3015).
 */
function nearest(ready: readonly Candidate[], facts: Pick<NodeFacts, 'name' | 'zone'>): readonly Candidate[] {
  if (ready.every(({ nodes }) => nodes !== undefined && nodes.length > 0)) {
    const here = ready.filter(({ nodes }) => nodes?.includes(facts.name));
    if (here.length > 0) return here;
  }
  const { zone } = facts;
  if (zone === undefined) return ready;
  if (!ready.every(({ zones }) => zones !== undefined && zones.length > 0)) return ready;
  const here = ready.filter(({ zones }) => zones?.includes(zone));
  return here.length > 0 ? here : ready;
}

function endpointsOf(list: readonly Candidate[]): readonly Endpoint[] {
  return list.map(({ endpoint }) => endpoint);
}
