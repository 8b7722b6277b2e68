import { type IpFamily, type IpPrefix, prefixFamily } from '#ip';
import type { NodeFacts } from '../../table/facts.ts';
import { type ChainId, chainId, type IptJump, type IptRule } from './model.ts';
import {
  FILTER,
  HAIRPINS,
  MASQUERADE_CLUSTER,
  MASQUERADE_NODE,
  MASQUERADE_SELF,
  POSTROUTING,
  REFUSE,
  SERVICES,
} from './names.ts';

/** How packets come to our chains. */
export const JUMPS: readonly IptJump[] = [
  ...['PREROUTING', 'OUTPUT'].map((from) => jump('nat', from, SERVICES)),
  jump('nat', 'POSTROUTING', POSTROUTING, 'DNAT'),
  ...['INPUT', 'FORWARD', 'OUTPUT'].map((from) => jump('filter', from, FILTER, 'NEW')),
];

function jump(table: IptJump['table'], from: string, chain: string, state?: IptRule['state']): IptJump {
  const rule: IptRule = {
    ...(state !== undefined && { state }),
    comment: 'Services, by podway',
    verdict: { do: 'jump', chain },
  };
  return { table, from, rule };
}

/** Chains that depend on what the node is only. */
export function factChains(facts: NodeFacts, family: IpFamily): ReadonlyMap<ChainId, readonly IptRule[]> {
  const but = (sources: readonly IpPrefix[]): readonly IptRule[] => [
    ...ofFamily(sources, family).map((source): IptRule => ({ source, verdict: { do: 'return' } })),
    { verdict: { do: 'masquerade' } },
  ];
  return new Map<ChainId, readonly IptRule[]>([
    [chainId('nat', MASQUERADE_CLUSTER), but(facts.clusterCIDRs)],
    [chainId('nat', MASQUERADE_NODE), but(facts.podCIDRs)],
    [chainId('nat', MASQUERADE_SELF), [{ local: 'source', verdict: { do: 'masquerade' } }]],
    [
      chainId('filter', REFUSE),
      [
        { protocol: 'tcp', verdict: { do: 'reject', with: 'tcp-reset' } },
        { verdict: { do: 'reject', with: 'port-unreachable' } },
      ],
    ],
  ]);
}

/** The end of {@link FILTER}: no Service has the address, and it is not the node's; it must not leave by the default route. */
export function unassignedRules(facts: NodeFacts, family: IpFamily): readonly IptRule[] {
  return [
    { local: 'destination', verdict: { do: 'return' } },
    ...ofFamily(facts.serviceCIDRs, family).map(
      (destination): IptRule => ({ destination, verdict: { do: 'reject', with: 'host-unreachable' } }),
    ),
  ];
}

/** A Pod that reaches itself would answer itself directly and not recognise the answer: the node steps in between. */
export function hairpinRules(addresses: Iterable<IpPrefix>): readonly IptRule[] {
  return [...addresses]
    .sort()
    .map((address) => ({ source: address, destination: address, verdict: { do: 'masquerade' } }));
}

export const TO_HAIRPINS: IptRule = { verdict: { do: 'jump', chain: HAIRPINS } };
/** What was translated goes on. */
export const PASS_TRANSLATED: IptRule = { state: 'DNAT', verdict: { do: 'return' } };

/** Prefixes of one family, each once. */
export function ofFamily(prefixes: readonly IpPrefix[], family: IpFamily): readonly IpPrefix[] {
  return [...new Set(prefixes)].filter((prefix) => prefixFamily(prefix) === family);
}
