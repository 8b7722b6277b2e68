import type { IpFamily } from '#ip';
import { otherWork, PodwayError } from '#runtime';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { Difference } from './difference.ts';
import { FACT_SETS, SENTINEL } from './facts.ts';
import type { TableLayout } from './layout.ts';
import { elementId, type NftElement, type NftListing } from './model.ts';
import type { ObservedElements } from './observed-elements.ts';
import type { NftOperation, NftTable } from './operation.ts';
import { ruleRepairs } from './rule-repairs.ts';
import { ServiceElements } from './service-elements.ts';

/** How many changes are gathered before they are written: bounds memory while everything is loaded. */
const FLUSH_AT = 1_000;
/** Elements of Services that change together: fewer than one transaction can have. */
const PART = 2_000;
/** Services that are compared, and elements that are remembered, between other work: some milliseconds. */
const SLICE = 100;
const ELEMENTS = 2_000;
/** So many chains may be there without use, as a Service that scales to and fro would have them come and go; more are removed. */
const UNUSED_CHAINS = 64;
/** Elements that one spot check looks at. */
const SAMPLE = 128;

/**
 * The table of one address family: what it holds, remembered from what was committed, and the shortest way to what it should
 * hold.
 */
export class FamilyTable<Placed> {
  readonly family: IpFamily;
  readonly #table: NftTable;
  readonly #layout: TableLayout<Placed>;
  /** What {@link observe} found, used up by the next {@link apply}. */
  #observed: ObservedElements | undefined;
  /** Whether what is remembered below is what the kernel holds. */
  #known = false;
  #exists = false;
  /** Or one of another version was there when last looked at. */
  #isThere = false;
  #chains = new Set<string>();
  #facts: readonly NftElement[] = [];
  #services: ServiceElements<Placed>;

  constructor(table: NftTable, family: IpFamily, layout: TableLayout<Placed>) {
    this.#table = table;
    this.family = family;
    this.#layout = layout;
    this.#services = new ServiceElements(layout, family);
  }

  /** Reads the table as it is in the kernel and forgets what was known of it. */
  async observe(): Promise<ObservedElements> {
    this.#known = false;
    this.#services = new ServiceElements(this.#layout, this.family);
    const found = await this.#table.read();
    this.#isThere = found !== undefined;
    const listing = await this.#usable(found);
    this.#exists = listing !== undefined;
    this.#chains = new Set(listing?.chains.map(({ name }) => name));
    const observed = new Map(this.#layout.shape.sets.map(({ name }) => [name, new Map<string, string>()]));
    for (const [i, { set, key, value }] of (listing?.elements ?? []).entries()) {
      if (i % ELEMENTS === ELEMENTS - 1) await otherWork();
      observed.get(set)?.set(key, value);
    }
    this.#facts = FACT_SETS.flatMap(({ name: set }) =>
      [...(observed.get(set)?.keys() ?? [])].map((key) => ({ set, key, value: '' })),
    );
    for (const { name } of FACT_SETS) observed.delete(name);
    this.#observed = observed;
    return observed;
  }

  /** The table with our rules, if it can be had without making it anew. */
  async #usable(listing: NftListing | undefined | 'foreign'): Promise<NftListing | undefined> {
    if (listing === undefined) return undefined;
    const repairs = listing === 'foreign' ? undefined : ruleRepairs(listing, this.#layout.shape);
    if (listing !== 'foreign' && repairs !== undefined) {
      if (repairs.length === 0) return listing;
      try {
        await this.#write(repairs);
        const rules = await this.#table.readRules();
        if (this.#isOurs(rules)) return { ...rules, elements: listing.elements };
      } catch (error) {
        // Something goes to a chain that is not ours: an element, which nobody but its maker can tell.
        if (!(error instanceof PodwayError)) throw error;
      }
    }
    await this.#table.remove();
    return undefined;
  }

  /** @returns how many changes were written */
  async apply(table: ServiceTable, changed: Iterable<string>): Promise<number> {
    if (!this.#known && this.#observed === undefined) await this.observe();
    const observed = this.#observed;
    // Until everything has worked nothing is known; a retry looks first.
    this.#observed = undefined;
    this.#known = false;
    const written =
      (await this.#applyFacts(table.facts)) +
      (observed === undefined
        ? await this.#applyChanged(table, changed)
        : await this.#applyAll(table, observed)) +
      (await this.#removeUnusedChains());
    this.#known = true;
    return written;
  }

  /**
   * Whether a part of what should be there is, a further part at each call: cheap at any size. Elements that someone has deleted are
   * put back by the asking itself; a table that is gone, or elements with other data, make it false.
   */
  async spotCheck(): Promise<boolean> {
    if (!this.#known) return false;
    const sample = [SENTINEL, ...this.#services.sample(SAMPLE)];
    const operations: NftOperation[] = sample.map((element) => ({ do: 'add element', element }));
    try {
      await this.#table.write(operations);
      return true;
    } catch {
      this.#known = false;
      return false;
    }
  }

  /** Whether sets and rules are what should be there, whatever the elements: cheap at any size. */
  async hasRules(): Promise<boolean> {
    return this.#known && this.#areRules(await this.#table.readRules());
  }

  /** Whether everything that should be there is, and nothing else: reads the whole table. */
  async matches(): Promise<boolean> {
    if (!this.#known) return false;
    const listing = await this.#table.read();
    if (!this.#areRules(listing)) return false;
    const found = new Map<string, string>();
    for (const [i, element] of listing.elements.entries()) {
      if (i % ELEMENTS === ELEMENTS - 1) await otherWork();
      found.set(elementId(element), element.value);
    }
    const holds = (element: NftElement) => found.get(elementId(element)) === element.value;
    const wanted = new Set(this.#facts.map(elementId));
    if (!this.#facts.every(holds)) return false;
    let compared = 0;
    for (const elements of this.#services.all()) {
      if (++compared % SLICE === 0) await otherWork();
      for (const element of elements) {
        if (!holds(element)) return false;
        wanted.add(elementId(element));
      }
    }
    return found.size === wanted.size;
  }

  #areRules(listing: NftListing | undefined | 'foreign'): listing is NftListing {
    return this.#isOurs(listing) && listing.chains.length === this.#chains.size;
  }

  #isOurs(listing: NftListing | undefined | 'foreign'): listing is NftListing {
    if (listing === undefined || listing === 'foreign') return false;
    return ruleRepairs(listing, this.#layout.shape)?.length === 0;
  }

  /** Whether there is a table, or one of another version was. */
  get isThere(): boolean {
    return this.#isThere;
  }

  /** How many Services it carries. */
  get size(): number {
    return this.#services.size;
  }

  /** After {@link observe}: takes every Service's elements out but those of some sets. */
  async keepOnly(sets: ReadonlySet<string>): Promise<void> {
    const operations: NftOperation[] = [];
    for (const [set, elements] of this.#observed ?? [])
      if (!sets.has(set))
        for (const [key, value] of elements)
          operations.push({ do: 'delete element', element: { set, key, value } });
    this.#known = false;
    this.#observed = undefined;
    await this.#write(operations);
  }

  async remove(): Promise<void> {
    this.#known = false;
    this.#observed = undefined;
    this.#exists = false;
    this.#isThere = false;
    await this.#table.remove();
  }

  async #applyFacts(facts: NodeFacts): Promise<number> {
    const operations: NftOperation[] = [];
    if (!this.#exists) {
      const { sets, chains, targets } = this.#layout.shape;
      operations.push({ do: 'add table' }, ...sets.map((set) => ({ do: 'add set', set }) as const));
      for (const chain of chains) {
        operations.push({ do: 'add chain', chain });
        this.#chains.add(chain.name);
      }
      operations.push(...this.#missingChains(targets.readyMade));
    }
    const wanted = [SENTINEL, ...this.#layout.facts(facts, this.family)];
    const has = (list: readonly NftElement[], { set, key }: NftElement) =>
      list.some((other) => other.set === set && other.key === key);
    for (const element of this.#facts)
      if (!has(wanted, element)) operations.push({ do: 'delete element', element });
    for (const element of wanted)
      if (!has(this.#facts, element)) operations.push({ do: 'add element', element });
    await this.#write(operations);
    this.#exists = true;
    this.#isThere = true;
    this.#facts = wanted;
    return operations.length;
  }

  /** A Service is written as one, with its rivals for an address and port. */
  async #applyChanged(table: ServiceTable, changed: Iterable<string>): Promise<number> {
    let written = 0;
    const parts = await this.#services.parts(table, changed, PART);
    for (const [i, part] of parts.entries()) {
      if (i > 0) await otherWork();
      written += await this.#commit(this.#services.change(table, part));
    }
    return written;
  }

  /** After {@link observe}: every Service against what was there. */
  async #applyAll(table: ServiceTable, observed: ObservedElements): Promise<number> {
    let difference = new Difference();
    let written = 0;
    let compared = 0;
    for (const [service, entry] of table.services) {
      if (++compared % SLICE === 0) await otherWork();
      this.#services.adopt(service, entry, observed, difference);
      if (difference.size < FLUSH_AT) continue;
      written += await this.#commit(difference);
      difference = new Difference();
    }
    // What no Service has asked for.
    for (const [set, elements] of observed)
      for (const [key, value] of elements) difference.deletes.push({ set, key, value });
    return written + (await this.#commit(difference));
  }

  async #removeUnusedChains(): Promise<number> {
    if (this.#chains.size <= UNUSED_CHAINS) return 0;
    const unused = this.#services.uses.unused(this.#chains);
    if (unused.length <= UNUSED_CHAINS) return 0;
    await this.#write(unused.map((name) => ({ do: 'delete chain', name })));
    for (const name of unused) this.#chains.delete(name);
    return unused.length;
  }

  /** Chains before what goes to them. */
  async #commit(difference: Difference): Promise<number> {
    const chains = difference.adds.flatMap(({ value }) => this.#services.uses.chainOf(value) ?? []);
    const operations = [...this.#missingChains(chains), ...difference.operations()];
    await this.#write(operations);
    return operations.length;
  }

  /** The target chains among `names` that are not there yet, inner ones first. */
  #missingChains(names: Iterable<string>): readonly NftOperation[] {
    const operations: NftOperation[] = [];
    const make = (name: string) => {
      if (this.#chains.has(name)) return;
      this.#chains.add(name);
      const { chain, needs } = this.#layout.shape.targets.body(name);
      needs.forEach(make);
      operations.push({ do: 'add chain', chain });
    };
    for (const name of new Set(names)) make(name);
    return operations;
  }

  async #write(operations: readonly NftOperation[]): Promise<void> {
    if (operations.length > 0) await this.#table.write(operations);
  }
}
