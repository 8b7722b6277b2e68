import type { IpFamily } from '#ip';
import { isKernelError } from '#kernel';
import type { TableShape } from './layout.ts';
import { listedElements } from './listed-elements.ts';
import type { NftChain, NftElement, NftListing, NftSet } from './model.ts';
import type { NftOperation, NftTable } from './operation.ts';
import { parseListing, UnknownNftError } from './parse.ts';
import { isRaw, rawRule } from './raw-rules.ts';
import type { TableNft } from './ruleset-watch.ts';
import { chainText, elementText, ruleTexts, setText, tableFamily } from './text.ts';
import { elementChange } from './wire.ts';

/** Elements in one kernel transaction at most: what fits the send buffer of a process without privileges. */
const BATCH = 4_000;

/** A mechanism's table in the kernel. */
export class KernelTable implements NftTable {
  readonly #nft: TableNft;
  readonly #family: IpFamily;
  readonly #name: string;
  readonly #sets: ReadonlyMap<string, NftSet>;

  constructor(nft: TableNft, family: IpFamily, { name, sets }: Pick<TableShape, 'name' | 'sets'>) {
    this.#nft = nft;
    this.#family = family;
    this.#name = name;
    this.#sets = new Map(sets.map((set) => [set.name, set]));
  }

  async readRules(): Promise<NftListing | undefined | 'foreign'> {
    return await unlessForeign(async () => {
      const objects = await this.#nft.listRules(tableFamily(this.#family), this.#name);
      return objects === undefined ? undefined : parseListing(objects);
    });
  }

  async read(): Promise<NftListing | undefined | 'foreign'> {
    const rules = await this.readRules();
    if (rules === undefined || rules === 'foreign') return rules;
    return await unlessForeign(async () => {
      const elements: NftElement[] = [];
      for (const set of this.#sets.values()) {
        if (set.kind === 'learned' || !rules.sets.includes(set.name)) continue;
        const listed = await this.#nft.listElements(tableFamily(this.#family), this.#name, set.name);
        for (const element of await listedElements(set, listed, this.#family)) elements.push(element);
      }
      return { ...rules, elements };
    });
  }

  async write(operations: readonly NftOperation[]): Promise<void> {
    let i = 0;
    while (i < operations.length) {
      const start = i;
      const direct = this.#isDirect(operations[i]);
      while (
        i < operations.length &&
        this.#isDirect(operations[i]) === direct &&
        (!direct || i - start < BATCH)
      )
        i++;
      const run = operations.slice(start, i);
      if (direct) await this.#nft.elements(run.flatMap((operation) => this.#change(operation)));
      else await this.#script(run);
    }
  }

  /** Raw rules come last: nothing goes to their chains before elements do. */
  async #script(operations: readonly NftOperation[]): Promise<void> {
    await this.#nft.run(`${operations.flatMap((operation) => this.#lines(operation)).join('\n')}\n`);
    for (const operation of operations) {
      if (!('chain' in operation) || !isRaw(operation.chain)) continue;
      const rules = operation.chain.rules.map((rule) => rawRule(rule, this.#family));
      await this.#nft.addRules(tableFamily(this.#family), this.#name, operation.chain.name, rules);
    }
  }

  /**
   * First what translates destinations: a packet that is between its hooks at that moment still finds what translates its source, without
   * which its answers would go astray, and those to all that the client sends on this connection.
   */
  async remove(): Promise<void> {
    const family = tableFamily(this.#family);
    const rules = await this.readRules();
    const chains = typeof rules === 'object' ? rules.chains.filter(translatesDestinations) : [];
    if (chains.length > 0)
      await this.#nft.run(chains.map(({ name }) => `flush chain ${family} ${this.#name} ${name}\n`).join(''));
    // Made first, so that nothing there is no error; one transaction, so nobody sees it made.
    const table = `table ${family} ${this.#name}`;
    await this.#nft.run(`add ${table}\ndelete ${table}\n`);
  }

  /** Whether it is an element in bytes; ranges go by script: they are few, and have several forms on the wire. */
  #isDirect(operation: NftOperation | undefined): boolean {
    return (
      operation !== undefined &&
      (operation.do === 'add element' || operation.do === 'delete element') &&
      this.#setOf(operation).kind !== 'interval'
    );
  }

  #setOf({ element }: { readonly element: NftElement }): NftSet {
    const set = this.#sets.get(element.set);
    if (set === undefined) throw new Error(`no set ${element.set} in table ${this.#name}`);
    return set;
  }

  #change(operation: NftOperation) {
    switch (operation.do) {
      case 'add element':
      case 'delete element': {
        const op = operation.do === 'add element' ? 'add' : 'delete';
        return [elementChange(op, operation.element, this.#setOf(operation), this.#family, this.#name)];
      }
      default:
        return [];
    }
  }

  #lines(operation: NftOperation): readonly string[] {
    const family = this.#family;
    const name = this.#name;
    switch (operation.do) {
      case 'add table':
        return [`add table ${tableFamily(family)} ${this.#name}`];
      case 'add set':
        return [setText(operation.set, family, name)];
      case 'add chain':
        return [
          chainText(operation.chain, family, name),
          ...(isRaw(operation.chain) ? [] : ruleTexts(operation.chain, family, name)),
        ];
      case 'replace rules':
        return [
          chainText(operation.chain, family, name),
          `flush chain ${tableFamily(family)} ${name} ${operation.chain.name}`,
          ...(isRaw(operation.chain) ? [] : ruleTexts(operation.chain, family, name)),
        ];
      case 'delete chain': {
        const chain = `chain ${tableFamily(family)} ${this.#name} ${operation.name}`;
        return [`flush ${chain}`, `delete ${chain}`];
      }
      case 'add element':
        return [elementText('add', operation.element, family, name)];
      case 'delete element':
        return [elementText('delete', operation.element, family, name)];
    }
  }
}

function translatesDestinations({ hook }: NftChain): boolean {
  return hook?.type === 'nat' && (hook.at === 'prerouting' || hook.at === 'output');
}

async function unlessForeign<T>(read: () => Promise<T>): Promise<T | 'foreign'> {
  try {
    return await read();
  } catch (error) {
    // A table that sleeps serves nobody: making it anew loses nothing.
    if (error instanceof UnknownNftError || isKernelError(error, 'EOPNOTSUPP')) return 'foreign';
    throw error;
  }
}
