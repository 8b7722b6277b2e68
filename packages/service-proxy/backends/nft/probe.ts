import type { NftPort } from '#kernel';
import { errorMessage } from '#runtime';

/** A table of its own that each script makes and deletes in one transaction: the kernel judges it, nobody sees it. */
export const PROBE_TABLE = 'ip podway-probe';

export interface NftFeature {
  /** What is missing without it, for people. */
  readonly what: string;
  /** Base chains are called `n`. */
  readonly lines: readonly string[];
}

/** Features that every mechanism with a table of its own needs. */
const COMMON: readonly NftFeature[] = [
  {
    what: 'nf_tables (CONFIG_NF_TABLES_IPV4), or the right to change it',
    lines: [`add chain ${PROBE_TABLE} c`],
  },
  {
    what: 'NAT (CONFIG_NFT_NAT, CONFIG_NFT_MASQ)',
    lines: [
      `add chain ${PROBE_TABLE} n { type nat hook postrouting priority 100; }`,
      `add rule ${PROBE_TABLE} n masquerade`,
    ],
  },
  {
    what: 'ranges in concatenations, for loadBalancerSourceRanges (Linux 5.6 or newer)',
    lines: [
      `add set ${PROBE_TABLE} r { type ipv4_addr . inet_service . ipv4_addr; flags interval; }`,
      `add element ${PROBE_TABLE} r { 192.0.2.1 . 80 . 10.0.0.0/8 }`,
    ],
  },
  {
    what: 'route look-ups, connection tracking and rejection in rules (CONFIG_NFT_FIB_IPV4, CONFIG_NFT_CT, CONFIG_NFT_REJECT)',
    lines: [
      `add chain ${PROBE_TABLE} n { type filter hook forward priority 0; }`,
      `add rule ${PROBE_TABLE} n ct status dnat fib saddr type local reject with icmp port-unreachable`,
    ],
  },
];

/**
 * What the kernel or nft cannot do of what the rules need; one transaction when nothing is missing.
 * @param more that a mechanism needs beside the {@link COMMON} features
 */
export async function probeNft(
  nft: Pick<NftPort, 'run'>,
  more: readonly NftFeature[],
): Promise<readonly string[]> {
  const features = [...COMMON, ...more];
  if ((await failure(nft, features)) === undefined) return [];
  const missing: string[] = [];
  for (const feature of features) {
    const reason = await failure(nft, [feature]);
    if (reason !== undefined) missing.push(`missing: ${feature.what}: ${reason}`);
    if (missing.length > 0 && feature === features[0]) break; // the others say the same
  }
  return missing;
}

async function failure(
  nft: Pick<NftPort, 'run'>,
  features: readonly NftFeature[],
): Promise<string | undefined> {
  const lines = features.flatMap((feature) => feature.lines);
  try {
    await nft.run(
      [`add table ${PROBE_TABLE}`, ...renamed(lines), `delete table ${PROBE_TABLE}`, ''].join('\n'),
    );
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

/** Each feature calls its chain `n`; together they need names of their own. */
function renamed(lines: readonly string[]): readonly string[] {
  let chains = 0;
  return lines.map((line) => {
    if (line.startsWith(`add chain ${PROBE_TABLE} n `)) chains++;
    return line.replace(`${PROBE_TABLE} n `, `${PROBE_TABLE} n${chains} `);
  });
}
