import type { IpAddress } from '#ip';
import { FamilyTable } from '../backends/nftables/family-table.ts';
import { MemoryTable } from '../backends/nftables/memory-table.ts';
import type { NftListing } from '../backends/nftables/model.ts';
import { INTERVAL_SETS } from '../backends/nftables/structure.ts';
import { buildTable, diffTables } from '../table/table.ts';
import { walkRules } from '../walker/rules.ts';
import { type WalkResult, walk } from '../walker/walk.ts';
import type { BehaviourState, BehaviourWorld, Client, Outcome, Place } from './case.ts';
import { DNS_ADDRESS, FACTS, NODE_ADDRESS, OUTSIDE_ADDRESS, PODS } from './cluster.ts';

/** As many random numbers as any pool of the cases has endpoints. */
const DRAWS = 12;

/** The nftables backend over a table in memory, and a packet walker in place of the kernel. */
export class WalkedWorld implements BehaviourWorld {
  readonly #memory = new MemoryTable();
  readonly #family = new FamilyTable(this.#memory, 'IPv4');
  #table = buildTable([], [], FACTS);

  get listing(): NftListing {
    return this.#memory.listing();
  }

  async program(state: BehaviourState): Promise<void> {
    const previous = this.#table;
    this.#table = buildTable(state.services, state.slices, { ...FACTS, ...state.facts });
    const changed = diffTables(previous, this.#table).map(({ service }) => service);
    await this.#family.apply(this.#table, changed);
  }

  async attempt(from: Client, to: Place): Promise<ReadonlySet<Outcome>> {
    const rules = walkRules(this.listing, INTERVAL_SETS);
    const outcomes = new Set<Outcome>();
    const packet = {
      source: from === 'node' ? NODE_ADDRESS : from === 'outside' ? OUTSIDE_ADDRESS : PODS[from],
      destination: to.address,
      protocol: ({ TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const)[to.protocol],
      destinationPort: to.port,
      origin: from === 'node' ? ('node' as const) : ('link' as const),
    };
    for (let draw = 0; draw < DRAWS; draw++) {
      const host = {
        isLocal: (address: IpAddress) => address === NODE_ADDRESS || address === DNS_ADDRESS,
        random: (n: number) => draw % n,
      };
      outcomes.add(outcomeOf(walk(packet, rules, host), from, to));
    }
    return outcomes;
  }
}

function outcomeOf(result: WalkResult, from: Client, to: Place): Outcome {
  if (result.outcome === 'dropped') return 'silence';
  if (result.outcome === 'rejected')
    return result.rejectedWith === 'host-unreachable' ? 'unreachable' : 'refused';
  if (result.destination === to.address)
    // Nobody in the cases' node listens: what reaches its processes is refused by the kernel itself.
    return result.outcome === 'delivered' ? 'refused' : 'untouched';
  const pod = Object.entries(PODS).find(([, address]) => address === result.destination)?.[0] ?? 'nobody';
  return from === 'node' ? pod : `${pod} ${result.masqueraded ? 'replaced' : 'kept'}`;
}
