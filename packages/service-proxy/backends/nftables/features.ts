import { type NftFeature, PROBE_TABLE } from '../nft/probe.ts';

/** What carrying Services by nft maps alone needs. */
export const FEATURES: readonly NftFeature[] = [
  {
    what: 'maps from addresses, ports and random numbers to endpoints (Linux 5.6 and nft 0.9.7 or newer, CONFIG_NFT_NUMGEN)',
    lines: [
      `add map ${PROBE_TABLE} m { typeof ip daddr . tcp dport . numgen random mod 2 : ip daddr . tcp dport; }`,
      `add chain ${PROBE_TABLE} n { type nat hook prerouting priority -100; }`,
      `add rule ${PROBE_TABLE} n meta l4proto tcp dnat ip to ip daddr . tcp dport . numgen random mod 2 map @m`,
    ],
  },
  {
    what: 'maps that packets fill, for session affinity',
    lines: [
      `add map ${PROBE_TABLE} a { type ipv4_addr : ipv4_addr; flags dynamic, timeout; timeout 1h; size 16; }`,
    ],
  },
];
