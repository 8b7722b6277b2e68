import { createHash } from 'node:crypto';
import {
  compareIp,
  familyOf,
  IP_FAMILIES,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  ipToBytes,
  parsePrefix,
  prefixAddress,
  prefixContains,
  prefixFamily,
  prefixLength,
} from '#ip';
import type { NftElementChange, NftPort } from '#kernel';

/** Packets of Pods `from` here, to anywhere but `except` and `nodes`, leave with the node's own address. */
export interface Masquerade {
  /** This node's Pod CIDRs. */
  readonly from: readonly IpPrefix[];
  /** Pods and Services: they see a Pod's own address. Ordered, none inside another. */
  readonly except: readonly IpPrefix[];
  /** The nodes' own addresses, which have routes to Pods too. Ordered. */
  readonly nodes: readonly IpAddress[];
}

/** The nft table that holds it, family inet: ours alone. */
export const MASQUERADE_TABLE = 'podway-masq';

/** Multicast never leaves with another source (RFC 3171, RFC 4291). */
const MULTICAST = ['224.0.0.0/4', 'ff00::/8'].map((text) => parsePrefix(text));

/**
 * @param cluster prefixes that must see Pods' own addresses: cluster and service CIDRs
 * @param nodes addresses that must: other hosts of the nodes' link (a router, an API server) have no route back to a Pod
 */
export function planMasquerade(
  podCidrs: readonly IpPrefix[],
  cluster: readonly IpPrefix[],
  nodes: readonly IpAddress[],
): Masquerade | undefined {
  if (podCidrs.length === 0) return undefined;
  return {
    from: widest(podCidrs),
    except: widest([...podCidrs, ...cluster, ...MULTICAST]),
    nodes: [...new Set(nodes)].sort(compareIp),
  };
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
  const sets = IP_FAMILIES.map((family) => {
    const elements = masquerade.nodes.filter((address) => familyOf(address) === family);
    const type = family === 'IPv4' ? 'ipv4_addr' : 'ipv6_addr';
    return `  set ${nodeSet(family)} {
    type ${type}
${elements.length === 0 ? '' : `    elements = { ${elements.join(', ')} }\n`}  }
`;
  });
  const rules = IP_FAMILIES.flatMap((family) => {
    const from = masquerade.from.filter((prefix) => prefixFamily(prefix) === family);
    const except = masquerade.except.filter((prefix) => prefixFamily(prefix) === family);
    if (from.length === 0) return [];
    const ip = family === 'IPv4' ? 'ip' : 'ip6';
    return [
      `    ${ip} saddr { ${from.join(', ')} } ${ip} daddr != { ${except.join(', ')} } ${ip} daddr != @${nodeSet(family)} masquerade fully-random comment "${versionOf(masquerade)}"`,
    ];
  });
  return `add table inet ${MASQUERADE_TABLE}
delete table inet ${MASQUERADE_TABLE}
table inet ${MASQUERADE_TABLE} {
${sets.join('')}  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
${rules.join('\n')}
  }
}
`;
}

/** What turns the nodes of one plan into those of another: a node that joins or moves costs one element, not a table. */
export function nodeChanges(
  before: readonly IpAddress[],
  after: readonly IpAddress[],
): readonly NftElementChange[] {
  const change = (op: 'add' | 'delete') => (address: IpAddress) => ({
    op,
    family: 'inet' as const,
    table: MASQUERADE_TABLE,
    set: nodeSet(familyOf(address)),
    key: [ipToBytes(address)],
  });
  return [
    ...before.filter((address) => !after.includes(address)).map(change('delete')),
    ...after.filter((address) => !before.includes(address)).map(change('add')),
  ];
}

function nodeSet(family: IpFamily): string {
  return family === 'IPv4' ? 'nodes4' : 'nodes6';
}

/** Marks the table's rules with what they were rendered from, so that a restart can see that nothing changed. */
function versionOf({ from, except }: Masquerade): string {
  return createHash('sha256')
    .update(JSON.stringify([2, from, except]))
    .digest('hex')
    .slice(0, 16);
}

/** Keeps the table; looks at the kernel's at first, and whenever somebody has changed any rule since. */
export class MasqueradeTable {
  readonly #nft: Pick<NftPort, 'run' | 'elements' | 'listTable' | 'generation'>;
  /** What the kernel holds; undefined before it was looked at and when that is unlike anything of ours. */
  #held: Masquerade | 'none' | undefined;
  /** The kernel's count of transactions when it held that. */
  #heldAt = 0;

  constructor(nft: Pick<NftPort, 'run' | 'elements' | 'listTable' | 'generation'>) {
    this.#nft = nft;
  }

  /** @returns whether anything was written */
  async apply(wanted: Masquerade | undefined): Promise<boolean> {
    const before = this.#nft.generation();
    const isKnown = this.#held !== undefined && this.#heldAt === before;
    const held = isKnown ? this.#held : await this.#observe(wanted);
    // Until it has succeeded: after a failure the kernel is looked at again.
    this.#held = undefined;
    const isWritten = await this.#write(held, wanted);
    this.#held = wanted ?? 'none';
    // A greater count next time: somebody else was at it, perhaps at this table.
    this.#heldAt = before + (isWritten ? 1 : 0);
    return isWritten;
  }

  async #write(held: Masquerade | 'none' | undefined, wanted: Masquerade | undefined): Promise<boolean> {
    if (wanted === undefined) {
      if (held === 'none') return false;
      await this.#nft.run(REMOVE_MASQUERADE);
    } else if (held !== undefined && held !== 'none' && versionOf(held) === versionOf(wanted)) {
      const changes = nodeChanges(held.nodes, wanted.nodes);
      if (changes.length === 0) return false;
      await this.#nft.elements(changes);
    } else await this.#nft.run(renderMasquerade(wanted));
    return true;
  }

  async #observe(wanted: Masquerade | undefined): Promise<Masquerade | 'none' | undefined> {
    const table = await this.#nft.listTable('inet', MASQUERADE_TABLE);
    if (table === undefined) return 'none';
    if (wanted === undefined) return undefined;
    const rules = table.flatMap((object) => (object as { rule?: { comment?: string } }).rule ?? []);
    const families = new Set(wanted.from.map(prefixFamily));
    const isWhole =
      rules.length === families.size && rules.every(({ comment }) => comment === versionOf(wanted));
    if (!isWhole) return undefined;
    const nodes = table.flatMap(
      (object) => (object as { set?: { elem?: readonly IpAddress[] } }).set?.elem ?? [],
    );
    return { ...wanted, nodes: nodes.filter((element) => typeof element === 'string') };
  }
}

const REMOVE_MASQUERADE = `add table inet ${MASQUERADE_TABLE}\ndelete table inet ${MASQUERADE_TABLE}\n`;
