import type { IpFamily } from '#ip';
import type { NftPort } from '#kernel';
import type { NftListing } from './model.ts';
import type { NftOperation, NftTable } from './operation.ts';
import { parseListing, UnknownNftError } from './parse.ts';
import { INTERVAL_SETS, TABLE } from './structure.ts';
import { chainText, elementText, ruleTexts, setText, tableFamily } from './text.ts';
import { elementChange } from './wire.ts';

/** Elements in one kernel transaction at most: what fits the send buffer of a process without privileges. */
const BATCH = 4_000;
export class KernelTable implements NftTable {
  readonly #nft: NftPort;
  readonly #family: IpFamily;

  constructor(nft: NftPort, family: IpFamily) {
    this.#nft = nft;
    this.#family = family;
  }

  async read(): Promise<NftListing | undefined | 'foreign'> {
    const objects = await this.#nft.listTable(tableFamily(this.#family), TABLE);
    if (objects === undefined) return undefined;
    try {
      return parseListing(objects);
    } catch (error) {
      if (error instanceof UnknownNftError) return 'foreign';
      throw error;
    }
  }

  async write(operations: readonly NftOperation[]): Promise<void> {
    let i = 0;
    while (i < operations.length) {
      const start = i;
      const direct = isDirect(operations[i]);
      while (i < operations.length && isDirect(operations[i]) === direct && (!direct || i - start < BATCH))
        i++;
      const run = operations.slice(start, i);
      if (direct) await this.#nft.elements(run.flatMap((operation) => this.#change(operation)));
      else await this.#nft.run(`${run.flatMap((operation) => this.#lines(operation)).join('\n')}\n`);
    }
  }

  async remove(): Promise<void> {
    // Made first, so that nothing there is no error; one transaction, so nobody sees it made.
    const table = `table ${tableFamily(this.#family)} ${TABLE}`;
    await this.#nft.run(`add ${table}\ndelete ${table}\n`);
  }

  #change(operation: NftOperation) {
    switch (operation.do) {
      case 'add element':
        return [elementChange('add', operation.element, this.#family)];
      case 'delete element':
        return [elementChange('delete', operation.element, this.#family)];
      default:
        return [];
    }
  }

  #lines(operation: NftOperation): readonly string[] {
    const family = this.#family;
    switch (operation.do) {
      case 'add table':
        return [`add table ${tableFamily(family)} ${TABLE}`];
      case 'add set':
        return [setText(operation.set, family)];
      case 'add chain':
        return [chainText(operation.chain, family), ...ruleTexts(operation.chain, family)];
      case 'add element':
        return [elementText('add', operation.element, family)];
      case 'delete element':
        return [elementText('delete', operation.element, family)];
    }
  }
}

/** Whether it is an element in bytes; ranges go by script: they are few, and have several forms on the wire. */
function isDirect(operation: NftOperation | undefined): boolean {
  return (
    operation !== undefined &&
    (operation.do === 'add element' || operation.do === 'delete element') &&
    !INTERVAL_SETS.has(operation.element.set)
  );
}
