import { type Frontend, reachableEndpoints } from '../../table/entry.ts';
import type { NftElement, NftSet } from './model.ts';
import { PLACE, placeText } from './place.ts';
import { rangeText } from './range-text.ts';
import { chain, inSet, is } from './rules.ts';

/** Sets about who may come in, and whose source address is replaced on the way to an endpoint. */
export const SOURCE_SETS: readonly NftSet[] = [
  { name: 'cluster_ips', key: ['address'], data: undefined, kind: 'plain' },
  { name: 'hairpins', key: ['address', 'address'], data: undefined, kind: 'plain' },
  { name: 'sources', key: PLACE, data: 'verdict', kind: 'plain' },
  { name: 'allowed_sources', key: [...PLACE, 'address'], data: undefined, kind: 'interval' },
];

/** Those of {@link SOURCE_SETS} whose elements can belong to more than one Service. */
export const SHARED_SOURCE_SETS = ['cluster_ips', 'hairpins'] as const;

export const SOURCE_OUTSIDE_CLUSTER = 'source_outside_cluster';
const SOURCE_OUTSIDE_NODE = 'source_outside_node';
const SOURCE_NODE_ITSELF = 'source_node_itself';

/** What elements of `sources` go to. */
export const SOURCE_CHAINS = [
  chain(SOURCE_OUTSIDE_NODE, [inSet(['saddr'], 'pod_cidrs'), { do: 'return' }], [{ do: 'masquerade' }]),
  chain(SOURCE_NODE_ITSELF, [is('fib saddr type', 'local'), { do: 'masquerade' }]),
];

/** The elements that frontends with endpoints have in {@link SOURCE_SETS}. Cluster IPs are there even without endpoints. */
export function sourceElements(frontends: readonly Frontend[]): readonly NftElement[] {
  const elements: NftElement[] = [];
  const add = (set: string, key: string, value = '') => elements.push({ set, key, value });
  const hairpins = new Set<string>();
  const clusterIPs = new Set<string>();
  for (const frontend of frontends) {
    if (frontend.kind === 'ClusterIP') clusterIPs.add(frontend.address);
    if (frontend.target.kind === 'reject') continue;
    const place = placeText(frontend);
    const source = sourceChain(frontend);
    if (source !== undefined) add('sources', place, `goto ${source}`);
    for (const range of frontend.sourceRanges ?? []) add('allowed_sources', `${place} . ${rangeText(range)}`);
    for (const { address, local } of reachableEndpoints(frontend))
      if (local) hairpins.add(`${address} . ${address}`);
  }
  for (const address of clusterIPs) add('cluster_ips', address);
  for (const pair of hairpins) add('hairpins', pair);
  return elements;
}

/** Cluster IPs need no element of their own: a rule sends all of them to `source_outside_cluster`. */
function sourceChain(frontend: Frontend): string | undefined {
  switch (frontend.masquerade) {
    case 'outside-node':
      return SOURCE_OUTSIDE_NODE;
    case 'node-itself':
      return SOURCE_NODE_ITSELF;
    case 'outside-cluster':
    case 'none':
      return undefined;
  }
}
