import { createHash } from 'node:crypto';
import {
  compareIp,
  type IpPrefix,
  parsePrefix,
  prefixAddress,
  prefixContains,
  prefixFamily,
  prefixLength,
} from '#ip';
import type { NftPort } from '#kernel';

/** Packets of Pods `from` here, to anywhere but `except`, leave with the node's own address. */
export interface Masquerade {
  /** This node's Pod CIDRs. */
  readonly from: readonly IpPrefix[];
  /** Pods, Services and the nodes: they see a Pod's own address. Ordered, none inside another. */
  readonly except: readonly IpPrefix[];
}

/** The nft table that holds it, family inet: ours alone. */
export const MASQUERADE_TABLE = 'podway-masq';

/** Multicast never leaves with another source (RFC 3171, RFC 4291). */
const MULTICAST = ['224.0.0.0/4', 'ff00::/8'].map((text) => parsePrefix(text));

/** @param local what must see Pods' own addresses: cluster and service CIDRs, the nodes' addresses */
export function planMasquerade(
  podCidrs: readonly IpPrefix[],
  local: readonly IpPrefix[],
): Masquerade | undefined {
  if (podCidrs.length === 0) return undefined;
  return { from: widest(podCidrs), except: widest([...podCidrs, ...local, ...MULTICAST]) };
}

/** Drops every prefix that lies inside another, and orders the rest. */
function widest(prefixes: readonly IpPrefix[]): readonly IpPrefix[] {
  const unique = [...new Set(prefixes)];
  return unique
    .filter((inner) => !unique.some((outer) => outer !== inner && covers(outer, inner)))
    .sort((a, b) => compareIp(prefixAddress(a), prefixAddress(b)));
}

function covers(outer: IpPrefix, inner: IpPrefix): boolean {
  return prefixLength(outer) <= prefixLength(inner) && prefixContains(outer, prefixAddress(inner));
}

/** The script that makes the table what it should be, in one transaction. */
export function renderMasquerade(masquerade: Masquerade): string {
  const rules = (['IPv4', 'IPv6'] as const).flatMap((family) => {
    const from = masquerade.from.filter((prefix) => prefixFamily(prefix) === family);
    const except = masquerade.except.filter((prefix) => prefixFamily(prefix) === family);
    if (from.length === 0) return [];
    const ip = family === 'IPv4' ? 'ip' : 'ip6';
    return [
      `    ${ip} saddr { ${from.join(', ')} } ${ip} daddr != { ${except.join(', ')} } masquerade fully-random comment "${versionOf(masquerade)}"`,
    ];
  });
  return `add table inet ${MASQUERADE_TABLE}
delete table inet ${MASQUERADE_TABLE}
table inet ${MASQUERADE_TABLE} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${rules.join('\n')}
  }
}
`;
}

/** Marks the table's rules with what they were rendered from, so that a restart can see that nothing changed. */
function versionOf(masquerade: Masquerade): string {
  return createHash('sha256')
    .update(JSON.stringify([1, masquerade]))
    .digest('hex')
    .slice(0, 16);
}

/** Whether the kernel's table is this one already. */
export async function masqueradeInPlace(nft: NftPort, masquerade: Masquerade | undefined): Promise<boolean> {
  const table = await nft.listTable('inet', MASQUERADE_TABLE);
  if (masquerade === undefined || table === undefined) return masquerade === table;
  return JSON.stringify(table).includes(`"comment":"${versionOf(masquerade)}"`);
}

export async function applyMasquerade(nft: NftPort, masquerade: Masquerade | undefined): Promise<void> {
  await nft.run(masquerade === undefined ? REMOVE_MASQUERADE : renderMasquerade(masquerade));
}

const REMOVE_MASQUERADE = `add table inet ${MASQUERADE_TABLE}\ndelete table inet ${MASQUERADE_TABLE}\n`;
