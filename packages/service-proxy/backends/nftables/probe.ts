import type { NftPort } from '#kernel';
import { errorMessage } from '#runtime';

/** A table of its own that each script makes and deletes in one transaction: the kernel judges it, nobody sees it. */
const PROBE = 'ip podway-probe';

interface Feature {
  /** What is missing without it, for people. */
  readonly what: string;
  readonly lines: readonly string[];
}

const CHAIN = `add chain ${PROBE} c`;
const FEATURES: readonly Feature[] = [
  { what: 'nf_tables (CONFIG_NF_TABLES_IPV4), or the right to change it', lines: [CHAIN] },
  {
    what: 'NAT (CONFIG_NFT_NAT, CONFIG_NFT_MASQ)',
    lines: [
      `add chain ${PROBE} n { type nat hook postrouting priority 100; }`,
      `add rule ${PROBE} n masquerade`,
    ],
  },
  {
    what: 'maps from addresses, ports and random numbers to endpoints (Linux 5.6 and nft 0.9.7 or newer, CONFIG_NFT_NUMGEN)',
    lines: [
      `add map ${PROBE} m { typeof ip daddr . tcp dport . numgen random mod 2 : ip daddr . tcp dport; }`,
      `add chain ${PROBE} n { type nat hook prerouting priority -100; }`,
      `add rule ${PROBE} n meta l4proto tcp dnat ip to ip daddr . tcp dport . numgen random mod 2 map @m`,
    ],
  },
  {
    what: 'ranges in concatenations, for loadBalancerSourceRanges (Linux 5.6 or newer)',
    lines: [
      `add set ${PROBE} r { type ipv4_addr . inet_service . ipv4_addr; flags interval; }`,
      `add element ${PROBE} r { 192.0.2.1 . 80 . 10.0.0.0/8 }`,
    ],
  },
  {
    what: 'maps that packets fill, for session affinity',
    lines: [
      `add map ${PROBE} a { type ipv4_addr : ipv4_addr; flags dynamic, timeout; timeout 1h; size 16; }`,
    ],
  },
  {
    what: 'route look-ups, connection tracking and rejection in rules (CONFIG_NFT_FIB_IPV4, CONFIG_NFT_CT, CONFIG_NFT_REJECT)',
    lines: [
      `add chain ${PROBE} f { type filter hook forward priority 0; }`,
      `add rule ${PROBE} f ct status dnat fib saddr type local reject with icmp port-unreachable`,
    ],
  },
];

/** What the kernel or nft cannot do of what the rules need; one transaction when nothing is missing. */
export async function probeNft(nft: Pick<NftPort, 'run'>): Promise<readonly string[]> {
  if ((await failure(nft, FEATURES)) === undefined) return [];
  const missing: string[] = [];
  for (const feature of FEATURES) {
    const reason = await failure(nft, [feature]);
    if (reason !== undefined) missing.push(`missing: ${feature.what}: ${reason}`);
    if (missing.length > 0 && feature === FEATURES[0]) break; // the others say the same
  }
  return missing;
}

async function failure(nft: Pick<NftPort, 'run'>, features: readonly Feature[]): Promise<string | undefined> {
  const lines = features.flatMap((feature) => feature.lines);
  try {
    await nft.run([`add table ${PROBE}`, ...renamed(lines), `delete table ${PROBE}`, ''].join('\n'));
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}

/** Each feature calls its chain `n`; together they need names of their own. */
function renamed(lines: readonly string[]): readonly string[] {
  let chains = 0;
  return lines.map((line) => {
    if (line.startsWith(`add chain ${PROBE} n `)) chains++;
    return line.replace(`${PROBE} n `, `${PROBE} n${chains} `);
  });
}
