import {
  addressBits,
  type IpFamily,
  type IpPrefix,
  parsePrefix,
  prefixAddress,
  prefixFamily,
  prefixLength,
} from '#ip';
import type { NodeFacts } from '../../table/facts.ts';
import type { NftChain, NftElement, NftField, NftRule, NftSet, NftStatement } from './model.ts';

/** The one table, in each family that the node has. */
export const TABLE = 'podway';

const PLACE = ['address', 'protocol', 'port'] as const;
const ENDPOINT = ['address', 'port'] as const;

export const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const;
export type TransportProtocol = (typeof PROTOCOLS)[number];
/** IANA. */
export const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/**
 * Endpoints by address, port and slot. One map for each protocol: nft 1.0 cannot use a map whose type says `th dport` or another
 * protocol's port in a rule that is added later.
 */
export function endpointMap(protocol: TransportProtocol): string {
  return `${protocol}_endpoints`;
}

/** The same of endpoints on this node, for traffic policy `Local`. */
export function localEndpointMap(protocol: TransportProtocol): string {
  return `${protocol}_local_endpoints`;
}

/** Every set and map of the table. README.md says what each is for. */
export const SETS: readonly NftSet[] = [
  { name: 'sentinel', key: ['port'], data: undefined, kind: 'plain' },
  { name: 'pod_cidrs', key: ['address'], data: undefined, kind: 'interval' },
  { name: 'cluster_cidrs', key: ['address'], data: undefined, kind: 'interval' },
  { name: 'service_cidrs', key: ['address'], data: undefined, kind: 'interval' },
  { name: 'cluster_ips', key: ['address'], data: undefined, kind: 'plain' },
  { name: 'hairpins', key: ['address', 'address'], data: undefined, kind: 'plain' },
  { name: 'refused', key: PLACE, data: undefined, kind: 'plain' },
  { name: 'services', key: PLACE, data: 'verdict', kind: 'plain' },
  { name: 'sources', key: PLACE, data: 'verdict', kind: 'plain' },
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
  { name: 'allowed_sources', key: [...PLACE, 'address'], data: undefined, kind: 'interval' },
  { name: 'learners', key: PLACE, data: 'verdict', kind: 'plain' },
  { name: 'affine_endpoints', key: [...PLACE, ...ENDPOINT], data: undefined, kind: 'plain' },
  { name: 'affinity', key: ['address', ...PLACE], data: ENDPOINT, kind: 'learned' },
];

/** Sets that hold facts of the node rather than Services, and the sentinel. */
export const FACT_SETS = ['pod_cidrs', 'cluster_cidrs', 'service_cidrs', 'sentinel'] as const;

/** An element that is always there: writing it again asks, for next to nothing, whether the table is. */
export const SENTINEL: NftElement = { set: 'sentinel', key: '1', value: '' };

const SOURCE_OUTSIDE_CLUSTER = 'source_outside_cluster';
export const SOURCE_OUTSIDE_NODE = 'source_outside_node';
export const SOURCE_NODE_ITSELF = 'source_node_itself';

/** What the packet is addressed to; and what it was addressed to before it was translated. */
export const DESTINATION: readonly NftField[] = ['daddr', 'l4proto', 'dport'];
const ORIGINAL: readonly NftField[] = ['ct original daddr', 'l4proto', 'ct original dport'];

const is = (field: NftField, ...values: string[]): NftStatement => ({ do: 'match', field, values });
const inSet = (key: readonly NftField[], set: string): NftStatement => ({
  do: 'lookup',
  key,
  set,
  negate: false,
});
const goto = (chain: string): NftStatement => ({ do: 'goto', chain });

/** nft knows the type of `ct original proto-dst` only after a match on one protocol: one rule for each. */
const eachProtocol = (rule: NftRule): readonly NftRule[] =>
  PROTOCOLS.map((protocol) => [is('l4proto', protocol), ...rule]);

/** Chains that do not depend on any Service. */
export function fixedChains(): readonly NftChain[] {
  return [
    {
      name: 'refuse',
      hook: undefined,
      rules: [
        [is('l4proto', 'tcp'), { do: 'reject', with: 'tcp reset' }],
        [{ do: 'reject', with: 'port-unreachable' }],
      ],
    },
    {
      name: 'refuse_unanswered',
      hook: undefined,
      rules: [
        [is('ct status', 'dnat'), { do: 'return' }],
        [inSet(DESTINATION, 'refused'), goto('refuse')],
        [is('fib daddr type', 'local'), { do: 'return' }],
        [inSet(['daddr'], 'cluster_ips'), goto('refuse')],
        [inSet(['daddr'], 'service_cidrs'), { do: 'reject', with: 'host-unreachable' }],
      ],
    },
    {
      name: SOURCE_OUTSIDE_CLUSTER,
      hook: undefined,
      rules: [[inSet(['saddr'], 'cluster_cidrs'), { do: 'return' }], [{ do: 'masquerade' }]],
    },
    {
      name: SOURCE_OUTSIDE_NODE,
      hook: undefined,
      rules: [[inSet(['saddr'], 'pod_cidrs'), { do: 'return' }], [{ do: 'masquerade' }]],
    },
    {
      name: SOURCE_NODE_ITSELF,
      hook: undefined,
      rules: [[is('fib saddr type', 'local'), { do: 'masquerade' }]],
    },
    {
      name: 'translated',
      hook: undefined,
      rules: [
        ...eachProtocol([{ do: 'verdict map', key: ORIGINAL, map: 'learners' }]),
        [inSet(['saddr', 'daddr'], 'hairpins'), { do: 'masquerade' }],
        [inSet(['ct original daddr'], 'cluster_ips'), goto(SOURCE_OUTSIDE_CLUSTER)],
        ...eachProtocol([{ do: 'verdict map', key: ORIGINAL, map: 'sources' }]),
      ],
    },
    hooked('prerouting', 'nat', -100, [[{ do: 'verdict map', key: DESTINATION, map: 'services' }]]),
    hooked('output', 'nat', -100, [[{ do: 'verdict map', key: DESTINATION, map: 'services' }]]),
    hooked('postrouting', 'nat', 100, [[is('ct status', 'dnat'), goto('translated')]]),
    ...(['input', 'forward', 'output'] as const).map((at) => ({
      ...hooked(at, 'filter', 0, [[is('ct state', 'new'), goto('refuse_unanswered')]]),
      name: `filter_${at}`,
    })),
  ];
}

function hooked(
  at: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting',
  type: 'nat' | 'filter',
  priority: number,
  rules: readonly NftRule[],
): NftChain {
  return { name: at, hook: { type, at, priority }, rules };
}

/** Elements of the {@link FACT_SETS} but the sentinel. Where the Pods' range is not known, everyone counts as a Pod. */
export function factElements(facts: NodeFacts, family: IpFamily): readonly NftElement[] {
  const of = (set: (typeof FACT_SETS)[number], prefixes: readonly IpPrefix[]) =>
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

/** A prefix as a listing gives it: one address has no length. */
export function rangeText(prefix: IpPrefix): string {
  return prefixLength(prefix) === addressBits(prefixFamily(prefix)) ? prefixAddress(prefix) : prefix;
}

/** Sets whose elements are prefixes. */
export const INTERVAL_SETS: ReadonlySet<string> = new Set(
  SETS.filter((set) => set.kind === 'interval').map((set) => set.name),
);
