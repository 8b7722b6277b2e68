import { familyOf, IP_FAMILIES, type IpFamily, prefixFamily } from '#ip';
import type { NftPort } from '#kernel';
import type { ApplyReport, BackendObservation, ProxyBackend } from '../../backend.ts';
import type { FrontendKey } from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { FamilyTable } from './family-table.ts';
import { KernelTable } from './kernel-table.ts';
import { probeNft } from './probe.ts';
import { RulesetWatch } from './ruleset-watch.ts';

/** After all elements were read, so many Services are spared for as many checks as follow: reading costs a few percent of the time at most. */
const SERVICES_A_CHECK = 500;

/** Services as elements of a few nftables maps: see README.md. */
export class NftablesBackend implements ProxyBackend {
  readonly name = 'nftables';
  readonly #nft: NftPort;
  readonly #tables: readonly FamilyTable[];
  /** Families that were in use at the last apply. */
  #used: readonly FamilyTable[] = [];
  readonly #watch: RulesetWatch;
  /** Someone changed rules, be it in another table, and the elements have not been read since. */
  #unread = false;
  /** Checks until elements may be read again. */
  #pause = 0;

  constructor(nft: NftPort) {
    this.#nft = nft;
    this.#watch = new RulesetWatch(nft);
    this.#tables = IP_FAMILIES.map((family) => new FamilyTable(new KernelTable(this.#watch, family), family));
  }

  probe(): Promise<readonly string[]> {
    return probeNft(this.#nft);
  }

  async observe(): Promise<BackendObservation> {
    const frontends = new Set<FrontendKey>();
    this.#watch.mark();
    this.#unread = false;
    for (const table of this.#tables) for (const key of await table.observe()) frontends.add(key);
    return { frontends };
  }

  async apply(table: ServiceTable, changed: Iterable<string>): Promise<ApplyReport> {
    const families = familiesOf(table.facts);
    const services = [...changed];
    this.#used = this.#tables.filter(({ family }) => families.has(family));
    let writes = 0;
    for (const one of this.#used) writes += await one.apply(table, services);
    return { writes };
  }

  async intact(): Promise<boolean> {
    if (this.#pause > 0) this.#pause--;
    if (!this.#watch.isUndisturbed()) {
      this.#watch.mark();
      this.#unread = true;
      for (const table of this.#used) if (!(await table.hasRules())) return false;
    }
    if (!this.#unread) return true;
    const whole = this.#pause === 0;
    for (const table of this.#used) if (!(await (whole ? table.matches() : table.spotCheck()))) return false;
    if (whole) {
      this.#unread = false;
      this.#pause = Math.ceil(Math.max(0, ...this.#used.map(({ size }) => size)) / SERVICES_A_CHECK);
    }
    return true;
  }

  async cleanup(): Promise<void> {
    for (const table of this.#tables) await table.remove();
  }

  /** Established connections go on: what conntrack has decided for them holds as long as anybody's nat chain is there. */
  async retire(): Promise<boolean> {
    await this.cleanup();
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The families this node takes part in. */
function familiesOf(facts: NodeFacts): ReadonlySet<IpFamily> {
  return new Set([
    ...facts.addresses.map(familyOf),
    ...[...facts.podCIDRs, ...facts.clusterCIDRs, ...facts.serviceCIDRs].map(prefixFamily),
  ]);
}
