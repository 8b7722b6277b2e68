import { type IpFamily, type IpPrefix, parsePrefix, prefixFamily } from '#ip';
import type { NodeFacts } from '../../table/facts.ts';
import type { NftElement, NftSet } from './model.ts';
import { rangeText } from './range-text.ts';

/** Sets that hold facts of the node rather than Services, and the sentinel; every table has them. */
export const FACT_SETS: readonly NftSet[] = [
  { name: 'sentinel', key: ['port'], data: undefined, kind: 'plain' },
  { name: 'pod_cidrs', key: ['address'], data: undefined, kind: 'interval' },
  { name: 'cluster_cidrs', key: ['address'], data: undefined, kind: 'interval' },
  { name: 'service_cidrs', key: ['address'], data: undefined, kind: 'interval' },
];

/** An element that is always there: writing it again asks, for next to nothing, whether the table is. */
export const SENTINEL: NftElement = { set: 'sentinel', key: '1', value: '' };

/** Elements of the {@link FACT_SETS} but the sentinel. Where the Pods' range is not known, everyone counts as a Pod. */
export function factElements(facts: NodeFacts, family: IpFamily): readonly NftElement[] {
  const of = (set: string, prefixes: readonly IpPrefix[]) =>
    [...new Set(prefixes)]
      .filter((prefix) => prefixFamily(prefix) === family)
      .map((prefix) => ({ set, key: rangeText(prefix), value: '' }));
  const pods = of('cluster_cidrs', facts.clusterCIDRs);
  return [
    ...of('pod_cidrs', facts.podCIDRs),
    ...(pods.length > 0 ? pods : of('cluster_cidrs', EVERYWHERE)),
    ...of('service_cidrs', facts.serviceCIDRs),
  ];
}

const EVERYWHERE = [parsePrefix('0.0.0.0/0'), parsePrefix('::/0')];
