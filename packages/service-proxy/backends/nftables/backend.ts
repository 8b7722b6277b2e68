import { IP_FAMILIES } from '#ip';
import type { NftPort } from '#kernel';
import type { ApplyReport, BackendObservation, ProxyBackend } from '../../backend.ts';
import type { FrontendKey } from '../../table/entry.ts';
import type { ServiceTable } from '../../table/table.ts';
import { familiesOf } from '../nft/facts.ts';
import { FamilyTable } from '../nft/family-table.ts';
import { KernelTable } from '../nft/kernel-table.ts';
import { RulesetWatch } from '../nft/ruleset-watch.ts';
import type { EntrySlots } from './elements.ts';
import { LAYOUT } from './layout.ts';
import { observedFrontends } from './observed.ts';
import { probeNft } from './probe.ts';

/** After all elements were read, so many Services are spared for as many checks as follow: reading costs a few percent of the time at most. */
const SERVICES_A_CHECK = 500;

/** Services as elements of a few nftables maps: see README.md. */
export class NftablesBackend implements ProxyBackend {
  readonly name = 'nftables';
  readonly #nft: NftPort;
  readonly #tables: readonly FamilyTable<EntrySlots>[];
  /** Families that were in use at the last apply. */
  #used: readonly FamilyTable<EntrySlots>[] = [];
  readonly #watch: RulesetWatch;
  /** Someone changed rules, be it in another table, and the elements have not been read since. */
  #unread = false;
  /** Checks until elements may be read again. */
  #pause = 0;

  constructor(nft: NftPort) {
    this.#nft = nft;
    this.#watch = new RulesetWatch(nft);
    this.#tables = IP_FAMILIES.map(
      (family) => new FamilyTable(new KernelTable(this.#watch, family, LAYOUT.shape), family, LAYOUT),
    );
  }

  probe(): Promise<readonly string[]> {
    return probeNft(this.#nft);
  }

  async observe(): Promise<BackendObservation> {
    const frontends = new Set<FrontendKey>();
    this.#watch.mark();
    this.#unread = false;
    for (const table of this.#tables)
      for (const key of observedFrontends(await table.observe())) frontends.add(key);
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
