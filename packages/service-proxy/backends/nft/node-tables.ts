import { IP_FAMILIES } from '#ip';
import type { NftPort } from '#kernel';
import { familiesOf } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { FamilyTable } from './family-table.ts';
import { KernelTable } from './kernel-table.ts';
import type { TableLayout } from './layout.ts';
import type { ObservedElements } from './observed-elements.ts';
import { RulesetWatch } from './ruleset-watch.ts';

/** After all elements were read, so many Services are spared for as many checks as follow: reading costs a few percent of the time at most. */
const SERVICES_A_CHECK = 500;

/** A mechanism's tables of both families, and the watch over them. */
export class NodeTables<Placed> {
  readonly #tables: readonly FamilyTable<Placed>[];
  /** Families that were in use at the last apply. */
  #used: readonly FamilyTable<Placed>[] = [];
  readonly #watch: RulesetWatch;
  /** Someone changed rules, be it in another table, and the elements have not been read since. */
  #unread = false;
  /** Checks until elements may be read again. */
  #pause = 0;

  constructor(nft: NftPort, layout: TableLayout<Placed>) {
    this.#watch = new RulesetWatch(nft);
    this.#tables = IP_FAMILIES.map(
      (family) => new FamilyTable(new KernelTable(this.#watch, family, layout.shape), family, layout),
    );
  }

  /** Reads what is there, a family at a time. */
  async observe(): Promise<readonly ObservedElements[]> {
    this.#watch.mark();
    this.#unread = false;
    const observed: ObservedElements[] = [];
    for (const table of this.#tables) observed.push(await table.observe());
    return observed;
  }

  /** Whether there is any of ours, be it of another version. */
  get areThere(): boolean {
    return this.#tables.some(({ isThere }) => isThere);
  }

  /** @returns how much was written */
  async apply(table: ServiceTable, changed: readonly string[]): Promise<number> {
    const families = familiesOf(table.facts);
    this.#used = this.#tables.filter(({ family }) => families.has(family));
    let writes = 0;
    for (const one of this.#used) writes += await one.apply(table, changed);
    return writes;
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

  /** After {@link observe}: takes everything out of the tables but elements of some sets. */
  async keepOnly(sets: ReadonlySet<string>): Promise<void> {
    for (const table of this.#tables) await table.keepOnly(sets);
  }

  async remove(): Promise<void> {
    for (const table of this.#tables) await table.remove();
  }
}
