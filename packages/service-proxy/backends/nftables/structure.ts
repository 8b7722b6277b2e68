import { PROTOCOLS } from '../../table/transport.ts';
import { FACT_SETS } from '../nft/facts.ts';
import type { TableShape } from '../nft/layout.ts';
import type { NftChain, NftSet } from '../nft/model.ts';
import { PLACE } from '../nft/place.ts';
import {
  chain,
  DESTINATION,
  decide,
  eachProtocol,
  goto,
  hooked,
  inSet,
  is,
  ORIGINAL,
  REFUSE,
} from '../nft/rules.ts';
import { SOURCE_CHAINS, SOURCE_OUTSIDE_CLUSTER, SOURCE_SETS } from '../nft/sources.ts';
import { endpointMap, localEndpointMap } from './endpoint-maps.ts';
import { isTargetChain, targetChainBody } from './target-chains.ts';

const ENDPOINT = ['address', 'port'] as const;

/** Every set and map of the table. README.md says what each is for. */
const SETS: readonly NftSet[] = [
  ...FACT_SETS,
  ...SOURCE_SETS,
  { name: 'refused', key: PLACE, data: undefined, kind: 'plain' },
  { name: 'services', key: PLACE, data: 'verdict', kind: 'plain' },
  ...PROTOCOLS.flatMap((protocol) =>
    [endpointMap(protocol), localEndpointMap(protocol)].map(
      (name): NftSet => ({
        name,
        key: ['address', 'port', 'slot'],
        data: ENDPOINT,
        kind: 'plain',
        protocol,
      }),
    ),
  ),
  { name: 'learners', key: PLACE, data: 'verdict', kind: 'plain' },
  { name: 'affine_endpoints', key: [...PLACE, ...ENDPOINT], data: undefined, kind: 'plain' },
  { name: 'affinity', key: ['address', ...PLACE], data: ENDPOINT, kind: 'learned' },
];

const CHAINS: readonly NftChain[] = [
  REFUSE,
  chain(
    'refuse_unanswered',
    [is('ct status', 'dnat'), { do: 'return' }],
    [inSet(DESTINATION, 'refused'), goto('refuse')],
    [is('fib daddr type', 'local'), { do: 'return' }],
    [inSet(['daddr'], 'cluster_ips'), goto('refuse')],
    [inSet(['daddr'], 'service_cidrs'), { do: 'reject', with: 'host-unreachable' }],
  ),
  chain(
    SOURCE_OUTSIDE_CLUSTER,
    [inSet(['saddr'], 'cluster_cidrs'), { do: 'return' }],
    [{ do: 'masquerade' }],
  ),
  ...SOURCE_CHAINS,
  chain(
    'translated',
    ...eachProtocol([decide(ORIGINAL, 'learners')]),
    [inSet(['saddr', 'daddr'], 'hairpins'), { do: 'masquerade' }],
    [inSet(['ct original daddr'], 'cluster_ips'), goto(SOURCE_OUTSIDE_CLUSTER)],
    ...eachProtocol([decide(ORIGINAL, 'sources')]),
  ),
  hooked('prerouting', 'nat', -100, [[decide(DESTINATION, 'services')]]),
  hooked('output', 'nat', -100, [[decide(DESTINATION, 'services')]]),
  hooked('postrouting', 'nat', 100, [[is('ct status', 'dnat'), goto('translated')]]),
  ...(['input', 'forward', 'output'] as const).map((at) => ({
    ...hooked(at, 'filter', 0, [[is('ct state', 'new'), goto('refuse_unanswered')]]),
    name: `filter_${at}`,
  })),
];

/** The table `podway`. */
export const SHAPE: TableShape = {
  name: 'podway',
  sets: SETS,
  chains: CHAINS,
  targets: {
    is: isTargetChain,
    body: targetChainBody,
    // So that the usual scalings of a Service change elements only.
    readyMade: Array.from({ length: 16 }, (_, i) => `ep${i + 1}`),
  },
};
