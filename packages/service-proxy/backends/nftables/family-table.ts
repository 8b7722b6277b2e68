import type { IpAddress, IpFamily } from '#ip';
import type { NftPort } from '#kernel';
import {
  type Frontend,
  type FrontendKey,
  frontendKey,
  keyOf,
  type Protocol,
  type ServiceEntry,
} from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { ServiceTable } from '../../table/table.ts';
import { type EntrySlots, entryElements, entrySlots, SHARED_SETS, transport } from './elements.ts';
import type { NftChain, NftElement } from './model.ts';
import { type NftListing, parseListing, UnknownNftError } from './parse.ts';
import {
  endpointMap,
  FACT_SETS,
  factElements,
  fixedChains,
  localEndpointMap,
  SETS,
  TABLE,
} from './structure.ts';
import { isTargetChain, targetChainBody } from './target-chains.ts';
import { chainText, elementText, ruleTexts, setText, tableFamily } from './text.ts';
import { elementChange } from './wire.ts';

/** Elements in one kernel transaction at most: what fits the send buffer of a process without privileges. */
const BATCH = 4_000;
const INTERVAL_SETS: ReadonlySet<string> = new Set(
  SETS.filter((set) => set.kind === 'interval').map((set) => set.name),
);
/** Chains made with the table, so that the usual scalings of a Service change elements only. */
const READY_MADE_CHAINS = Array.from({ length: 10 }, (_, i) => `ep${i + 1}`);

interface Programmed {
  readonly entry: ServiceEntry;
  readonly slots: EntrySlots;
}

interface Operations {
  readonly deletes: NftElement[];
  readonly adds: NftElement[];
}

/**
 * The table of one address family: what it holds, remembered from what was committed, and the shortest way to what it should
 * hold.
 */
export class FamilyTable {
  readonly family: IpFamily;
  readonly #nft: NftPort;
  /** Set by {@link observe}, used up by the first {@link apply}: set -> key -> value. undefined: not known, look first. */
  #observed: Map<string, Map<string, string>> | undefined;
  #exists = false;
  #chains = new Set<string>();
  #facts: readonly NftElement[] = [];
  #programmed = new Map<string, Programmed>();
  /** How many Services ask for an element of the {@link SHARED_SETS}; key: `SET KEY`. */
  #shared = new Map<string, number>();
  #current = false;

  constructor(nft: NftPort, family: IpFamily) {
    this.#nft = nft;
    this.family = family;
  }

  /** Reads the table as it is in the kernel and forgets what was known of it. */
  async observe(): Promise<ReadonlySet<FrontendKey>> {
    this.#current = false;
    this.#programmed = new Map();
    this.#shared = new Map();
    this.#facts = [];
    this.#chains = new Set();
    const listing = await this.#list();
    this.#exists = listing !== undefined;
    this.#observed = new Map(SETS.map((set) => [set.name, new Map<string, string>()]));
    if (listing === 'foreign') {
      await this.cleanup();
      this.#observed = undefined;
      return this.observe();
    }
    for (const chain of listing?.chains ?? []) this.#chains.add(chain.name);
    for (const element of listing?.elements ?? [])
      this.#observed.get(element.set)?.set(element.key, element.value);
    for (const set of FACT_SETS) {
      const found = [...(this.#observed.get(set)?.keys() ?? [])];
      this.#facts = [...this.#facts, ...found.map((key) => ({ set, key, value: '' }))];
    }
    return this.#observedFrontends();
  }

  /** @returns how many kernel objects were written */
  async apply(table: ServiceTable, changed: Iterable<string>): Promise<number> {
    if (this.#observed === undefined && !this.#current) await this.observe();
    const complete = this.#current;
    this.#current = false; // until it is known to have worked
    const written =
      (await this.#applyStructure(table.facts)) +
      (complete ? await this.#applyChanged(table, changed) : await this.#applyAll(table));
    this.#current = true;
    this.#observed = undefined;
    return written;
  }

  async exists(): Promise<boolean> {
    const family = tableFamily(this.family);
    return (await this.#nft.listTables()).some((table) => table.family === family && table.name === TABLE);
  }

  async cleanup(): Promise<void> {
    // "add" first, so that a table that is not there is no error; one transaction, nothing is ever made.
    const table = `${tableFamily(this.family)} ${TABLE}`;
    if (await this.exists()) await this.#nft.run(`add table ${table}\ndelete table ${table}\n`);
    this.#observed = undefined;
    this.#current = false;
  }

  /** `foreign`: a table of our name that another version, or another hand, has made. */
  async #list(): Promise<NftListing | undefined | 'foreign'> {
    const objects = await this.#nft.listTable(tableFamily(this.family), TABLE);
    if (objects === undefined) return undefined;
    try {
      const listing = parseListing(objects);
      return isOurs(listing) ? listing : 'foreign';
    } catch (error) {
      if (error instanceof UnknownNftError) return 'foreign';
      throw error;
    }
  }

  #observedFrontends(): ReadonlySet<FrontendKey> {
    const found = new Set<FrontendKey>();
    for (const set of ['services', 'refused'])
      for (const key of this.#observed?.get(set)?.keys() ?? []) {
        const [address, protocol, port] = key.split(' . ');
        found.add(
          frontendKey(address as IpAddress, (protocol ?? '').toUpperCase() as Protocol, Number(port)),
        );
      }
    return found;
  }

  async #applyStructure(facts: NodeFacts): Promise<number> {
    const lines: string[] = [];
    if (!this.#exists) {
      lines.push(`add table ${tableFamily(this.family)} ${TABLE}`);
      for (const set of SETS) lines.push(setText(set, this.family));
      // Targets before the rules that go to them; hooks last of all.
      const chains = fixedChains();
      for (const chain of chains) lines.push(chainText(chain, this.family));
      for (const chain of chains) lines.push(...ruleTexts(chain, this.family));
      for (const chain of chains) this.#chains.add(chain.name);
      lines.push(...this.#missingChains(READY_MADE_CHAINS));
    }
    const wanted = factElements(facts, this.family);
    const has = (list: readonly NftElement[], { set, key }: NftElement) =>
      list.some((other) => other.set === set && other.key === key);
    for (const element of this.#facts)
      if (!has(wanted, element)) lines.push(elementText('delete', element, this.family));
    for (const element of wanted)
      if (!has(this.#facts, element)) lines.push(elementText('add', element, this.family));
    await this.#run(lines);
    this.#exists = true;
    this.#facts = wanted;
    return lines.length;
  }

  /** After {@link observe}: every Service against what was there. */
  async #applyAll(table: ServiceTable): Promise<number> {
    const observed = this.#observed ?? new Map<string, Map<string, string>>();
    for (const set of FACT_SETS) observed.delete(set);
    const operations: Operations = { deletes: [], adds: [] };
    let written = 0;
    const desire = (element: NftElement) => {
      const found = observed.get(element.set);
      const value = found?.get(element.key);
      if (value === element.value) {
        found?.delete(element.key);
        return;
      }
      if (value !== undefined) {
        operations.deletes.push({ ...element, value });
        found?.delete(element.key);
      }
      operations.adds.push(element);
    };
    for (const [service, entry] of table.services) {
      const slots = entrySlots(entry, this.family, (frontend) => observedSlots(observed, frontend));
      for (const element of entryElements(entry, slots, this.family))
        if (!SHARED_SETS.has(element.set) || this.#count(element, 1) === 1) desire(element);
      this.#programmed.set(service, { entry, slots });
      if (operations.adds.length + operations.deletes.length >= BATCH)
        written += await this.#commit(operations);
    }
    for (const [set, elements] of observed) {
      // Learned elements are not listed, so whatever is left here is not wanted by any Service.
      for (const [key, value] of elements) operations.deletes.push({ set, key, value });
    }
    return written + (await this.#commit(operations));
  }

  async #applyChanged(table: ServiceTable, changed: Iterable<string>): Promise<number> {
    const operations: Operations = { deletes: [], adds: [] };
    const shared = new Map<string, { readonly element: NftElement; change: number }>();
    const share = (element: NftElement, change: number) => {
      const id = `${element.set} ${element.key}`;
      const known = shared.get(id);
      if (known === undefined) shared.set(id, { element, change });
      else known.change += change;
    };
    for (const service of changed) {
      const previous = this.#programmed.get(service);
      const entry = table.services.get(service);
      if (previous?.entry === entry) continue;
      const before = new Map<string, NftElement>();
      if (previous !== undefined)
        for (const element of entryElements(previous.entry, previous.slots, this.family)) {
          if (SHARED_SETS.has(element.set)) share(element, -1);
          else before.set(`${element.set} ${element.key}`, element);
        }
      if (entry === undefined) this.#programmed.delete(service);
      else {
        const slots = entrySlots(entry, this.family, (frontend) => previous?.slots.get(keyOf(frontend)));
        for (const element of entryElements(entry, slots, this.family)) {
          if (SHARED_SETS.has(element.set)) {
            share(element, 1);
            continue;
          }
          const id = `${element.set} ${element.key}`;
          if (before.get(id)?.value !== element.value) operations.adds.push(element);
          else before.delete(id);
        }
        this.#programmed.set(service, { entry, slots });
      }
      operations.deletes.push(...before.values());
    }
    for (const { element, change } of shared.values()) {
      if (change === 0) continue;
      const count = this.#count(element, change);
      if (count === change) operations.adds.push(element);
      else if (count === 0) operations.deletes.push(element);
    }
    return this.#commit(operations);
  }

  #count(element: NftElement, change: number): number {
    const id = `${element.set} ${element.key}`;
    const count = (this.#shared.get(id) ?? 0) + change;
    if (count === 0) this.#shared.delete(id);
    else this.#shared.set(id, count);
    return count;
  }

  /** Writes the operations and empties them. Interval elements go by script: they are few, and allowed before they are needed. */
  async #commit(operations: Operations): Promise<number> {
    const { adds, deletes } = operations;
    const byScript = ({ set }: NftElement) => INTERVAL_SETS.has(set);
    const chains = adds.flatMap(({ value }) => /^(?:goto|jump) (.+)$/.exec(value)?.[1] ?? []);
    const script = [
      ...this.#missingChains(chains),
      ...adds.filter(byScript).map((element) => elementText('add', element, this.family)),
    ];
    await this.#run(script);
    const changes = [
      ...deletes
        .filter((element) => !byScript(element))
        .map((element) => elementChange('delete', element, this.family)),
      ...adds
        .filter((element) => !byScript(element))
        .map((element) => elementChange('add', element, this.family)),
    ];
    if (changes.length > 0) await this.#nft.elements(changes);
    const after = deletes.filter(byScript).map((element) => elementText('delete', element, this.family));
    await this.#run(after);
    adds.length = 0;
    deletes.length = 0;
    return script.length + changes.length + after.length;
  }

  /** Lines that make the target chains among `names` that are not there yet, inner ones first. */
  #missingChains(names: Iterable<string>): readonly string[] {
    const lines: string[] = [];
    const make = (name: string) => {
      if (this.#chains.has(name) || !isTargetChain(name)) return;
      this.#chains.add(name);
      const { chain, needs } = targetChainBody(name);
      needs.forEach(make);
      lines.push(chainText(chain, this.family), ...ruleTexts(chain, this.family));
    };
    for (const name of new Set(names)) make(name);
    return lines;
  }

  async #run(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#nft.run(`${lines.join('\n')}\n`);
  }
}

function observedSlots(
  observed: ReadonlyMap<string, ReadonlyMap<string, string>>,
  frontend: Frontend,
): { readonly endpoints: readonly string[]; readonly local: readonly string[] } {
  const slots = (set: string) => {
    const found: string[] = [];
    for (;;) {
      const text = observed.get(set)?.get(`${frontend.address} . ${frontend.port} . ${found.length}`);
      if (text === undefined) return found;
      found.push(text);
    }
  };
  const protocol = transport(frontend.protocol);
  return { endpoints: slots(endpointMap(protocol)), local: slots(localEndpointMap(protocol)) };
}

/** Whether the sets and rules are the ones that this version writes. */
function isOurs(listing: NftListing): boolean {
  const names = new Set(listing.sets);
  if (names.size !== SETS.length || SETS.some((set) => !names.has(set.name))) return false;
  const found = new Map(listing.chains.map((chain) => [chain.name, chain]));
  for (const chain of fixedChains()) {
    if (!sameChain(chain, found.get(chain.name))) return false;
    found.delete(chain.name);
  }
  for (const [name, chain] of found)
    if (!isTargetChain(name) || !sameChain(targetChainBody(name).chain, chain)) return false;
  return true;
}

function sameChain(expected: NftChain, found: NftChain | undefined): boolean {
  return JSON.stringify(expected) === JSON.stringify(found);
}
