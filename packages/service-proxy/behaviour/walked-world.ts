import type { IpAddress, IpFamily } from '#ip';
import { DesiredChains } from '../backends/iptables/desired.ts';
import type { ChainId, IptRule } from '../backends/iptables/model.ts';
import { FamilyTable } from '../backends/nft/family-table.ts';
import { MemoryTable } from '../backends/nft/memory-table.ts';
import type { NftListing } from '../backends/nft/model.ts';
import type { EntrySlots } from '../backends/nftables/elements.ts';
import { LAYOUT } from '../backends/nftables/layout.ts';
import { buildTable, diffTables, type ServiceTable } from '../table/table.ts';
import { iptablesRules } from '../walker/iptables-rules.ts';
import { nftRules } from '../walker/nft-rules.ts';
import { type Walk, type WalkRules, walk } from '../walker/walk.ts';
import type { BehaviourState, BehaviourWorld, Client, Outcome, Place } from './case.ts';
import { DNS_ADDRESS, FACTS, HOSTS, NODE_ADDRESS, OUTSIDE_ADDRESS, PODS } from './cluster.ts';
import { inFamily } from './in-family.ts';

/** As many random numbers as any pool of the cases has endpoints. */
const DRAWS = 12;

const ADDRESSES = {
  node: NODE_ADDRESS,
  outside: OUTSIDE_ADDRESS,
  dns: DNS_ADDRESS,
  pods: PODS,
  hosts: HOSTS,
};

/** The rules of a mechanism in memory, and a packet walker in place of the kernel. */
abstract class WalkedRules implements BehaviourWorld {
  readonly family: IpFamily;
  #table: ServiceTable;

  constructor(family: IpFamily) {
    this.family = family;
    this.#table = buildTable([], [], this.#own(FACTS));
  }

  protected abstract apply(table: ServiceTable, changed: readonly string[]): Promise<void>;
  /** As they are now. */
  abstract rules(): WalkRules;

  async program(state: BehaviourState): Promise<void> {
    const previous = this.#table;
    this.#table = buildTable(state.services, state.slices, { ...this.#own(FACTS), ...state.facts });
    const changed = diffTables(previous, this.#table).map(({ service }) => service);
    await this.apply(this.#table, changed);
  }

  async attempt(from: Client, to: Place): Promise<ReadonlySet<Outcome>> {
    const rules = this.rules();
    const outcomes = new Set<Outcome>();
    const { node, outside, dns, pods, hosts } = this.#own(ADDRESSES);
    const packet = {
      source: from === 'node' ? node : from === 'outside' ? outside : pods[from],
      destination: to.address,
      protocol: ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[to.protocol],
      destinationPort: to.port,
      origin: from === 'node' ? ('node' as const) : ('link' as const),
    };
    for (let draw = 0; draw < DRAWS; draw++) {
      const host = {
        isLocal: (address: IpAddress) => address === node || address === dns || address.startsWith('127.'),
        random: (n: number) => draw % n,
      };
      outcomes.add(outcomeOf(walk(packet, rules, host), from, to, { ...pods, ...hosts }));
    }
    return outcomes;
  }

  #own<T>(value: T): T {
    return inFamily(this.family, value);
  }
}

export class WalkedWorld extends WalkedRules {
  readonly #memory = new MemoryTable();
  readonly #rules: FamilyTable<EntrySlots> = new FamilyTable(this.#memory, this.family, LAYOUT);

  get listing(): NftListing {
    return this.#memory.listing();
  }

  protected override async apply(table: ServiceTable, changed: readonly string[]): Promise<void> {
    await this.#rules.apply(table, changed);
  }

  override rules() {
    return nftRules(this.listing, LAYOUT.shape.sets);
  }
}

export class WalkedIptables extends WalkedRules {
  readonly #desired = new DesiredChains(this.family);
  readonly #chains = new Map<ChainId, readonly IptRule[]>();
  #first = true;

  protected override async apply(table: ServiceTable, changed: readonly string[]): Promise<void> {
    for (const [id, rules] of await this.#desired.update(table, this.#first ? 'all' : changed))
      if (rules === undefined) this.#chains.delete(id);
      else this.#chains.set(id, rules);
    this.#first = false;
  }

  override rules() {
    return iptablesRules(this.#chains);
  }
}

function outcomeOf(
  result: Walk,
  from: Client,
  to: Place,
  servers: Readonly<Record<string, IpAddress>>,
): Outcome {
  if (result.outcome === 'dropped') return 'silence';
  if (result.outcome === 'rejected')
    return result.rejectedWith === 'host-unreachable' ? 'unreachable' : 'refused';
  if (result.destination === to.address && result.destinationPort === to.port)
    // Nobody in the cases' node listens: what reaches its processes is refused by the kernel itself.
    return result.outcome === 'delivered' ? 'refused' : 'untouched';
  const pod = Object.entries(servers).find(([, address]) => address === result.destination)?.[0] ?? 'nobody';
  return from === 'node' ? pod : `${pod} ${result.masqueraded ? 'replaced' : 'kept'}`;
}
