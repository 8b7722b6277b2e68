import { type IpFamily, parseIp, parsePrefix } from '#ip';
import type { IptablesPort, IptablesVariant } from '#kernel';
import { errorMessage } from '#runtime';
import { PROTOCOLS } from '../../table/transport.ts';
import type { IptRule, IptTable } from './model.ts';
import { ruleText } from './text.ts';

interface Feature {
  /** What is missing without it, for people. */
  readonly what: string;
  readonly table: IptTable;
  readonly from?: string;
  readonly rules: readonly IptRule[];
}

/** A node may be without IPv6, and what is there for IPv4 is there for IPv6 if anything is. */
const FAMILY: IpFamily = 'IPv4';
const RETURN = { do: 'return' } as const;

const TABLES: Feature = {
  what: 'tables nat and filter, or the right to change them',
  table: 'nat',
  rules: [{ verdict: RETURN }],
};
const FEATURES: readonly Feature[] = [
  TABLES,
  {
    what: 'translation (xt_nat)',
    table: 'nat',
    from: 'PREROUTING',
    rules: [{ protocol: 'tcp', verdict: { do: 'dnat', address: parseIp('192.0.2.1'), port: 80 } }],
  },
  {
    what: 'masquerading (xt_MASQUERADE)',
    table: 'nat',
    from: 'POSTROUTING',
    rules: [{ verdict: { do: 'masquerade' } }],
  },
  {
    what: 'matches of connections and addresses (xt_conntrack, xt_addrtype, xt_comment)',
    table: 'nat',
    rules: [
      { protocol: 'tcp', original: { destination: parsePrefix('192.0.2.0/24'), port: 80 }, verdict: RETURN },
      { local: 'source', state: 'DNAT', comment: 'podway probe', verdict: RETURN },
    ],
  },
  {
    what: 'TCP, UDP and SCTP ports (xt_tcpudp, xt_sctp)',
    table: 'nat',
    rules: PROTOCOLS.map((protocol) => ({ protocol, port: 80, verdict: RETURN })),
  },
  {
    what: 'random choice of endpoints (xt_statistic)',
    table: 'nat',
    rules: [{ probability: 0.5, verdict: RETURN }],
  },
  {
    what: 'lists of clients, for session affinity (xt_recent)',
    table: 'nat',
    rules: [{ recent: { do: 'set', list: 'PODWAY-PROBE' }, verdict: RETURN }],
  },
  {
    what: 'rejection (ipt_REJECT, ip6t_REJECT)',
    table: 'filter',
    from: 'FORWARD',
    rules: [
      { protocol: 'tcp', verdict: { do: 'reject', with: 'tcp-reset' } },
      { verdict: { do: 'reject', with: 'host-unreachable' } },
    ],
  },
];

/** What iptables or the kernel cannot do of what the rules need; nothing is left of the asking. */
export async function probeIptables(
  iptables: Pick<IptablesPort, 'test'>,
  variant: IptablesVariant,
): Promise<readonly string[]> {
  if ((await failure(iptables, variant, FEATURES)) === undefined) return [];
  const missing: string[] = [];
  for (const feature of FEATURES) {
    const reason = await failure(iptables, variant, [feature]);
    if (reason === undefined) continue;
    missing.push(`missing in iptables-${variant}: ${feature.what}: ${reason}`);
    if (feature === TABLES) break; // the others say the same
  }
  return missing;
}

async function failure(
  iptables: Pick<IptablesPort, 'test'>,
  variant: IptablesVariant,
  features: readonly Feature[],
): Promise<string | undefined> {
  const lines = features.flatMap(({ table, from, rules }, i) => [
    `*${table}`,
    `:PODWAY-PROBE-${i} - [0:0]`,
    ...rules.map((rule) => `-A PODWAY-PROBE-${i} ${ruleText(rule, FAMILY)}`),
    ...(from === undefined ? [] : [`-A ${from} -j PODWAY-PROBE-${i}`]),
    'COMMIT',
  ]);
  try {
    await iptables.test(variant, FAMILY, [...lines, ''].join('\n'));
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
