import type { NetworkNamespace } from './ports/namespace.ts';

const TABLE = 'podway-loopback';
const SYSCTL = 'net.ipv4.conf.all.route_localnet';
/** A chain whose name remembers, for {@link LoopbackRouting.remove}, that the sysctl was off before. */
const WAS_OFF = 'was_off';

/** In front of conntrack: what a link brings names no loopback address, whatever it is translated to later. */
const GUARD = [
  `add table ip ${TABLE}`,
  `add chain ip ${TABLE} from_links { type filter hook prerouting priority -300; policy accept; }`,
  `flush chain ip ${TABLE} from_links`,
  `add rule ip ${TABLE} from_links iifname != "lo" ip daddr 127.0.0.0/8 drop`,
  `add rule ip ${TABLE} from_links iifname != "lo" ip saddr 127.0.0.0/8 drop`,
];

/** The guard's rules as nft lists them (libnftables-json(5)). */
const LISTED = JSON.stringify(
  ['daddr', 'saddr'].map((field) => [
    { match: { op: '!=', left: { meta: { key: 'iifname' } }, right: 'lo' } },
    {
      match: {
        op: '==',
        left: { payload: { protocol: 'ip', field } },
        right: { prefix: { addr: '127.0.0.0', len: 8 } },
      },
    },
    { drop: null },
  ]),
);

/**
 * Lets the node's own connections to 127.0.0.0/8 be translated and leave by other links (sysctl route_localnet), and keeps out what comes
 * from the network with such an address: the sysctl alone would let neighbours reach what listens on loopback only (CVE-2020-8558). IPv4
 * only: Linux has no such switch for ::1. Whoever wants it makes one; there may be several.
 */
export class LoopbackRouting {
  readonly #netns: Pick<NetworkNamespace, 'nft' | 'sysctl'>;
  /** Of the ruleset when the guard was last seen to be right. */
  #generation: number | undefined;

  constructor(netns: Pick<NetworkNamespace, 'nft' | 'sysctl'>) {
    this.#netns = netns;
  }

  /** Makes it so, and so again when someone has undone it: cheap when nobody has. */
  async ensure(): Promise<void> {
    const { nft, sysctl } = this.#netns;
    const isOn = sysctl.get(SYSCTL) === '1';
    if (nft.generation() !== this.#generation) {
      const generation = nft.generation();
      if (rulesOf(await this.#list()) === LISTED) this.#generation = generation;
      else {
        const mark = isOn ? [] : [`add chain ip ${TABLE} ${WAS_OFF}`];
        await nft.run([...GUARD, ...mark, ''].join('\n'));
        this.#generation = nft.generation();
      }
    }
    // The guard first.
    if (!isOn) sysctl.set(SYSCTL, '1');
  }

  /** Undoes what anyone's {@link ensure} did. Nothing there is not an error. */
  async remove(): Promise<void> {
    const { nft, sysctl } = this.#netns;
    this.#generation = undefined;
    const objects = await this.#list();
    if (objects === undefined) return;
    if (objects.some(({ chain }) => chain?.name === WAS_OFF)) sysctl.set(SYSCTL, '0');
    await nft.run(`delete table ip ${TABLE}\n`);
  }

  async #list(): Promise<readonly Listed[] | undefined> {
    return (await this.#netns.nft.listRules('ip', TABLE)) as readonly Listed[] | undefined;
  }
}

interface Listed {
  readonly chain?: { readonly name: string };
  readonly rule?: { readonly expr: unknown };
}

function rulesOf(objects: readonly Listed[] | undefined): string {
  return JSON.stringify(objects?.flatMap(({ rule }) => (rule === undefined ? [] : [rule.expr])));
}
