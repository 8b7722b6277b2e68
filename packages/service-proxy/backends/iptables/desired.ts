import { hostPrefix, type IpFamily, type IpPrefix } from '#ip';
import { otherWork } from '#runtime';
import {
  type Frontend,
  type FrontendKey,
  keyOf,
  reachableEndpoints,
  type ServiceEntry,
} from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import {
  factChains,
  hairpinRules,
  ofFamily,
  PASS_TRANSLATED,
  TO_HAIRPINS,
  unassignedRules,
} from './fixed-rules.ts';
import { frontendChainRules } from './frontend-rules.ts';
import { type ChainId, chainId, type IptRule } from './model.ts';
import { FILTER, frontendChains, HAIRPINS, networkChains, POSTROUTING, SERVICES } from './names.ts';
import { type NetworkRules, networkOf, networkRules, type Placed } from './network-rules.ts';

/** Chains and their rules; undefined: there is no such chain. */
export type ChainChanges = ReadonlyMap<ChainId, readonly IptRule[] | undefined>;

interface Network {
  readonly frontends: Map<FrontendKey, Placed>;
  rules: NetworkRules;
}

const NO_RULES: NetworkRules = { entrances: [], masquerades: [], leftovers: [] };

/** Services between other work: some milliseconds. */
const SLICE = 200;

/** What one family's chains should hold, kept current at the cost of what changes. */
export class DesiredChains {
  readonly family: IpFamily;
  #facts: NodeFacts | undefined;
  readonly #entries = new Map<string, ServiceEntry>();
  readonly #networks = new Map<IpPrefix, Network>();
  /** Addresses of endpoints on this node, and how many frontends have them. */
  readonly #locals = new Map<IpPrefix, number>();

  constructor(family: IpFamily) {
    this.family = family;
  }

  /** How many Services it knows. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Takes over what the table says of the `changed` Services, or of all. Other work has its turn while there are many.
   * @returns every chain that may differ from before
   */
  async update(table: ServiceTable, changed: Iterable<string> | 'all'): Promise<ChainChanges> {
    const chains = new Map<ChainId, readonly IptRule[] | undefined>();
    const all = changed === 'all' || JSON.stringify(table.facts) !== JSON.stringify(this.#facts);
    this.#facts = table.facts;
    const podCIDRs = ofFamily(table.facts.podCIDRs, this.family);
    const touched = new Set<IpPrefix>();
    const services = [...(all ? new Set([...this.#entries.keys(), ...table.services.keys()]) : changed)];
    // All that goes before anything that comes: one Service may take over the place of another.
    for (const [i, service] of services.entries()) {
      if (i % SLICE === SLICE - 1) await otherWork();
      for (const frontend of this.#frontends(this.#entries.get(service))) {
        touched.add(this.#remove(frontend));
        for (const name of Object.values(frontendChains(keyOf(frontend))))
          chains.set(chainId('nat', name), undefined);
      }
    }
    for (const [i, service] of services.entries()) {
      if (i % SLICE === SLICE - 1) await otherWork();
      const entry = table.services.get(service);
      if (entry === undefined) this.#entries.delete(service);
      else this.#entries.set(service, entry);
      for (const frontend of this.#frontends(entry)) {
        touched.add(this.#add(service, frontend));
        for (const [id, rules] of frontendChainRules(frontend, podCIDRs)) chains.set(id, rules);
      }
    }
    for (const network of touched) {
      this.#render(network, chains);
      if (touched.size > 1) await otherWork();
    }
    if (all) for (const [id, rules] of factChains(table.facts, this.family)) chains.set(id, rules);
    for (const [id, rules] of this.#topChains(table.facts)) chains.set(id, rules);
    return chains;
  }

  #frontends(entry: ServiceEntry | undefined): readonly Frontend[] {
    return entry?.frontends.filter(({ family }) => family === this.family) ?? [];
  }

  #add(service: string, frontend: Frontend): IpPrefix {
    const network = networkOf(frontend.address);
    const { frontends } = this.#networks.get(network) ?? { frontends: new Map<FrontendKey, Placed>() };
    frontends.set(keyOf(frontend), { service, frontend });
    this.#networks.set(network, { frontends, rules: NO_RULES });
    this.#countLocals(frontend, 1);
    return network;
  }

  #remove(frontend: Frontend): IpPrefix {
    const network = networkOf(frontend.address);
    this.#networks.get(network)?.frontends.delete(keyOf(frontend));
    this.#countLocals(frontend, -1);
    return network;
  }

  #countLocals(frontend: Frontend, change: number): void {
    for (const { address, local } of reachableEndpoints(frontend)) {
      if (!local) continue;
      const prefix = hostPrefix(address);
      const count = (this.#locals.get(prefix) ?? 0) + change;
      if (count === 0) this.#locals.delete(prefix);
      else this.#locals.set(prefix, count);
    }
  }

  #render(prefix: IpPrefix, chains: Map<ChainId, readonly IptRule[] | undefined>): void {
    const network = this.#networks.get(prefix);
    const rules = networkRules(network?.frontends.values() ?? []);
    if (network !== undefined) network.rules = rules;
    if (network?.frontends.size === 0) this.#networks.delete(prefix);
    const { to, from } = networkChains(prefix);
    const some = (list: readonly IptRule[]) => (list.length > 0 ? list : undefined);
    chains.set(chainId('nat', to), some(rules.entrances));
    chains.set(chainId('nat', from), some(rules.masquerades));
    chains.set(chainId('filter', to), some(rules.leftovers));
  }

  #topChains(facts: NodeFacts): ReadonlyMap<ChainId, readonly IptRule[]> {
    const leading = (
      kind: keyof NetworkRules,
      match: (network: IpPrefix) => Omit<IptRule, 'verdict'>,
      chain: 'to' | 'from',
    ): readonly IptRule[] =>
      [...this.#networks]
        .filter(([, { rules }]) => rules[kind].length > 0)
        .map(([network]) => network)
        .sort()
        .map((network) => ({
          ...match(network),
          verdict: { do: 'jump', chain: networkChains(network)[chain] },
        }));
    const addressed = (network: IpPrefix) => ({ destination: network });
    return new Map<ChainId, readonly IptRule[]>([
      [chainId('nat', SERVICES), leading('entrances', addressed, 'to')],
      [
        chainId('nat', POSTROUTING),
        [TO_HAIRPINS, ...leading('masquerades', (destination) => ({ original: { destination } }), 'from')],
      ],
      [chainId('nat', HAIRPINS), hairpinRules(this.#locals.keys())],
      [
        chainId('filter', FILTER),
        [PASS_TRANSLATED, ...leading('leftovers', addressed, 'to'), ...unassignedRules(facts, this.family)],
      ],
    ]);
  }
}
