import { FACT_SETS } from '../nft/facts.ts';
import { NO_TARGETS, type TableShape } from '../nft/layout.ts';
import type { NftRule } from '../nft/model.ts';
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

const RETURN = { do: 'return' } as const;
const DROP = { do: 'drop' } as const;
const MASQUERADE = { do: 'masquerade' } as const;

/** A VIP is an address of the node, but no rule for the node's own addresses (a Pod's hostPort, above all) is meant for it. */
const KEEP_VIPS: readonly NftRule[] = ['cluster_ips', 'external_ips'].map((set) => [
  inSet(['daddr'], set),
  // Until it is bound, another mechanism may still answer at it.
  is('fib daddr type', 'local'),
  { do: 'keep destination' },
]);

/** Ends a chain for the node's own Pods and processes. */
const INSIDE: readonly NftRule[] = [
  [inSet(['saddr'], 'pod_cidrs'), RETURN],
  [is('fib saddr type', 'local'), RETURN],
];

/** Before NAT (-100) and IPVS (-98) at output: a packet that has been scheduled is not seen again with its first address. */
const BEFORE_IPVS = -110;

/** The table `podway-ipvs`: what IPVS itself cannot say. README.md says what each set is for. */
export const SHAPE: TableShape = {
  name: 'podway-ipvs',
  sets: [
    ...FACT_SETS,
    ...SOURCE_SETS,
    { name: 'external_ips', key: ['address'], data: undefined, kind: 'plain' },
    { name: 'served', key: PLACE, data: undefined, kind: 'plain' },
    { name: 'refused', key: PLACE, data: undefined, kind: 'plain' },
    { name: 'guards', key: PLACE, data: 'verdict', kind: 'plain' },
    { name: 'outside_marks', key: PLACE, data: ['mark'], kind: 'plain' },
    { name: 'direct', key: PLACE, data: undefined, kind: 'plain' },
  ],
  chains: [
    REFUSE,
    chain('outside_dropped', ...INSIDE, [DROP]),
    chain('outside_marked', ...INSIDE, [{ do: 'set mark', key: DESTINATION, map: 'outside_marks' }]),
    chain('ranged', [inSet([...DESTINATION, 'saddr'], 'allowed_sources'), RETURN], [DROP]),
    ...['outside_dropped', 'outside_marked'].map((inner) =>
      chain(`ranged_${inner}`, [inSet([...DESTINATION, 'saddr'], 'allowed_sources'), goto(inner)], [DROP]),
    ),
    chain(
      'admit',
      [decide(DESTINATION, 'guards')],
      [inSet(DESTINATION, 'served'), RETURN],
      [inSet(DESTINATION, 'refused'), goto('refuse')],
      // Who pings a VIP is answered: it is an address of this node.
      [is('l4proto', 'icmp', 'ipv6-icmp'), is('fib daddr type', 'local'), RETURN],
      [inSet(['daddr'], 'cluster_ips'), goto('refuse')],
      [inSet(['daddr'], 'external_ips'), goto('refuse')],
      [is('fib daddr type', 'local'), RETURN],
      [inSet(['daddr'], 'service_cidrs'), { do: 'reject', with: 'host-unreachable' }],
    ),
    chain(
      SOURCE_OUTSIDE_CLUSTER,
      // A process of this node sends to a VIP from the VIP, which every node has.
      [is('fib saddr type', 'local'), MASQUERADE],
      [inSet(['saddr'], 'cluster_cidrs'), RETURN],
      [MASQUERADE],
    ),
    ...SOURCE_CHAINS,
    hooked('prerouting', 'nat', BEFORE_IPVS, KEEP_VIPS),
    { ...hooked('output', 'nat', BEFORE_IPVS, KEEP_VIPS), name: 'output_nat' },
    hooked('input', 'filter', 0, [[is('ct state', 'new'), goto('admit')]]),
    hooked('forward', 'filter', 0, [[is('ct state', 'new'), goto('admit')]]),
    hooked('output', 'filter', BEFORE_IPVS, [[is('ct state', 'new'), goto('admit')]]),
    hooked('postrouting', 'nat', 100, [
      ...eachProtocol([inSet(ORIGINAL, 'direct'), RETURN]),
      [inSet(['saddr', 'daddr'], 'hairpins'), MASQUERADE],
      [inSet(['ct original daddr'], 'cluster_ips'), goto(SOURCE_OUTSIDE_CLUSTER)],
      ...eachProtocol([decide(ORIGINAL, 'sources')]),
    ]),
  ],
  targets: NO_TARGETS,
};
