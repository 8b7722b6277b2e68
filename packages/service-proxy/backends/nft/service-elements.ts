import type { IpFamily } from '#ip';
import type { ServiceEntry } from '../../table/entry.ts';
import type { EntryChange, ServiceTable } from '../../table/table.ts';
import { ChainUses } from './chain-uses.ts';
import { changeParts } from './change-parts.ts';
import { Difference } from './difference.ts';
import type { TableLayout } from './layout.ts';
import { elementId, type NftElement } from './model.ts';
import type { ObservedElements } from './observed-elements.ts';

interface Programmed<Placed> {
  readonly entry: ServiceEntry;
  readonly placed: Placed;
}

/**
 * What a table of one family holds for each Service, as last decided, and what a change of Services makes of it: differences,
 * for others to write.
 */
export class ServiceElements<Placed> {
  /** What goes to each target chain. */
  readonly uses: ChainUses;
  readonly #layout: TableLayout<Placed>;
  readonly #family: IpFamily;
  readonly #programmed = new Map<string, Programmed<Placed>>();
  /** How many Services ask for an element of the layout's shared sets, by its id. */
  readonly #shared = new Map<string, number>();
  /** Where {@link sample} goes on. */
  #sampled: MapIterator<Programmed<Placed>> | undefined;

  constructor(layout: TableLayout<Placed>, family: IpFamily) {
    this.uses = new ChainUses(layout.shape.targets);
    this.#layout = layout;
    this.#family = family;
  }

  /** How many Services there are. */
  get size(): number {
    return this.#programmed.size;
  }

  /** Each Service's elements, a Service at a time. Those of shared sets come with each that asks for them. */
  *all(): Iterable<readonly NftElement[]> {
    for (const { entry, placed } of this.#programmed.values())
      yield this.#layout.elements(entry, placed, this.#family);
  }

  /**
   * A Service that was not known, in a table that may have elements of it.
   * @param observed what the table holds; loses what the Service asks for
   * @param difference gets what the table lacks
   */
  adopt(service: string, entry: ServiceEntry, observed: ObservedElements, difference: Difference): void {
    const placed = this.#layout.place(entry, this.#family, { observed });
    for (const element of this.#layout.elements(entry, placed, this.#family)) {
      if (this.#layout.sharedSets.has(element.set) && this.#count(element, 1) > 1) continue;
      this.uses.add(element.value, 1);
      const found = observed.get(element.set);
      const value = found?.get(element.key);
      found?.delete(element.key);
      if (value === element.value) continue;
      if (value !== undefined) difference.deletes.push({ ...element, value });
      difference.adds.push(element);
    }
    this.#programmed.set(service, { entry, placed });
  }

  /** Those of the Services that are not as they were, in parts of about `size` elements for {@link change}, one after the other. */
  parts(
    table: ServiceTable,
    changed: Iterable<string>,
    size: number,
  ): Promise<readonly (readonly string[])[]> {
    const changes: EntryChange[] = [];
    for (const service of changed) {
      const previous = this.#programmed.get(service)?.entry;
      const next = table.services.get(service);
      if (previous !== next) changes.push({ service, previous, next });
    }
    return changeParts(changes, size);
  }

  /** What the change of these Services comes to, written as one; those that are as they were come to nothing. */
  change(table: ServiceTable, changed: Iterable<string>): Difference {
    const difference = new Difference();
    const shared = new Map<string, { readonly element: NftElement; change: number }>();
    const share = (element: NftElement, change: number) => {
      const id = elementId(element);
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
        for (const element of this.#layout.elements(previous.entry, previous.placed, this.#family)) {
          if (this.#layout.sharedSets.has(element.set)) share(element, -1);
          else before.set(elementId(element), element);
        }
      if (entry === undefined) this.#programmed.delete(service);
      else {
        const placed = this.#layout.place(entry, this.#family, previous);
        for (const element of this.#layout.elements(entry, placed, this.#family)) {
          if (this.#layout.sharedSets.has(element.set)) {
            share(element, 1);
            continue;
          }
          const id = elementId(element);
          if (before.get(id)?.value === element.value) before.delete(id);
          else difference.adds.push(element);
        }
        this.#programmed.set(service, { entry, placed });
      }
      difference.deletes.push(...before.values());
    }
    for (const { element, change } of shared.values()) {
      if (change === 0) continue;
      const count = this.#count(element, change);
      if (count === change) difference.adds.push(element);
      else if (count === 0) difference.deletes.push(element);
    }
    for (const { value } of difference.adds) this.uses.add(value, 1);
    for (const { value } of difference.deletes) this.uses.add(value, -1);
    return difference;
  }

  /** The elements of some Services, others at each call: `least`, or some more, or all there are. */
  sample(least: number): readonly NftElement[] {
    const sample: NftElement[] = [];
    for (let rounds = 0; rounds < 2 && sample.length < least; rounds++) {
      this.#sampled ??= this.#programmed.values();
      for (const { entry, placed } of this.#sampled) {
        sample.push(
          ...this.#layout
            .elements(entry, placed, this.#family)
            .filter(({ set }) => set !== 'allowed_sources'),
        );
        if (sample.length >= least) return sample;
      }
      this.#sampled = undefined;
    }
    return sample;
  }

  #count(element: NftElement, change: number): number {
    const count = (this.#shared.get(elementId(element)) ?? 0) + change;
    if (count === 0) this.#shared.delete(elementId(element));
    else this.#shared.set(elementId(element), count);
    return count;
  }
}
