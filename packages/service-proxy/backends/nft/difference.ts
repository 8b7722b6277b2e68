import type { NftElement } from './model.ts';
import type { NftOperation } from './operation.ts';

/** Elements to delete and to add, which may have the same keys: those get other data. */
export class Difference {
  readonly deletes: NftElement[] = [];
  readonly adds: NftElement[] = [];

  get size(): number {
    return this.deletes.length + this.adds.length;
  }

  /** In the order to write them: allowed sources, which are changed as one, before what asks for them. */
  operations(): readonly NftOperation[] {
    // Elements of one set together: they share a message.
    const bySet = (a: NftElement, b: NftElement) => (a.set < b.set ? -1 : a.set > b.set ? 1 : 0);
    const early = ({ set }: NftElement) => set === 'allowed_sources';
    const late = (element: NftElement) => !early(element);
    const add = (element: NftElement): NftOperation => ({ do: 'add element', element });
    const remove = (element: NftElement): NftOperation => ({ do: 'delete element', element });
    return [
      ...this.deletes.filter(early).map(remove),
      ...this.adds.filter(early).map(add),
      ...this.deletes.filter(late).sort(bySet).map(remove),
      ...this.adds.filter(late).sort(bySet).map(add),
    ];
  }
}
