import { PodwayError } from '#runtime';
import type { NftChain, NftElement, NftListing, NftSet, NftStatement } from './model.ts';
import type { NftOperation, NftTable } from './operation.ts';

/** What the kernel would have refused. */
export class NftRefusedError extends PodwayError {
  readonly code = 'NftRefused';
  readonly errno: 'EEXIST' | 'ENOENT' | 'EBUSY';
  constructor(errno: 'EEXIST' | 'ENOENT' | 'EBUSY', what: string) {
    super(`${what}: ${errno}`);
    this.errno = errno;
  }
}

/** A table without a kernel, which refuses what the kernel refuses: for walks of a plan, and for tests. */
export class MemoryTable implements NftTable {
  #there = false;
  readonly #sets = new Map<string, NftSet>();
  readonly #chains = new Map<string, NftChain>();
  readonly #elements = new Map<string, Map<string, string>>();

  async read(): Promise<NftListing | undefined | 'foreign'> {
    return this.#there ? this.listing() : undefined;
  }

  async readRules(): Promise<NftListing | undefined | 'foreign'> {
    return this.#there ? { ...this.listing(), elements: [] } : undefined;
  }

  listing(): NftListing {
    const elements: NftElement[] = [];
    for (const [set, values] of this.#elements)
      for (const [key, value] of values) elements.push({ set, key, value });
    return { sets: [...this.#sets.keys()], chains: [...this.#chains.values()], elements };
  }

  async write(operations: readonly NftOperation[]): Promise<void> {
    for (const operation of operations) this.#apply(operation);
  }

  async remove(): Promise<void> {
    this.#there = false;
    this.#sets.clear();
    this.#chains.clear();
    this.#elements.clear();
  }

  #apply(operation: NftOperation): void {
    if (operation.do === 'add table') {
      this.#there = true;
      return;
    }
    if (!this.#there) throw new NftRefusedError('ENOENT', 'table');
    switch (operation.do) {
      case 'add set':
        this.#sets.set(operation.set.name, operation.set);
        this.#elements.set(operation.set.name, new Map());
        return;
      case 'add chain':
        if (this.#chains.has(operation.chain.name)) throw new NftRefusedError('EEXIST', operation.chain.name);
        for (const statement of operation.chain.rules.flat()) this.#require(statement);
        this.#chains.set(operation.chain.name, operation.chain);
        return;
      case 'replace rules':
        if (!this.#chains.has(operation.chain.name))
          throw new NftRefusedError('ENOENT', operation.chain.name);
        for (const statement of operation.chain.rules.flat()) this.#require(statement);
        this.#chains.set(operation.chain.name, operation.chain);
        return;
      case 'delete chain':
        if (this.#goesTo(operation.name)) throw new NftRefusedError('EBUSY', operation.name);
        if (!this.#chains.delete(operation.name)) throw new NftRefusedError('ENOENT', operation.name);
        return;
      case 'add element': {
        const { set, key, value } = operation.element;
        const elements = this.#elementsOf(set);
        const known = elements.get(key);
        if (known !== undefined && known !== value) throw new NftRefusedError('EEXIST', `${set} { ${key} }`);
        const chain = /^(?:goto|jump) (.+)$/.exec(value)?.[1];
        if (chain !== undefined && !this.#chains.has(chain)) throw new NftRefusedError('ENOENT', chain);
        elements.set(key, value);
        return;
      }
      case 'delete element': {
        const { set, key } = operation.element;
        if (!this.#elementsOf(set).delete(key)) throw new NftRefusedError('ENOENT', `${set} { ${key} }`);
        return;
      }
    }
  }

  #goesTo(chain: string): boolean {
    const goes = (statement: NftStatement) => 'chain' in statement && statement.chain === chain;
    return (
      [...this.#chains.values()].some(({ rules }) => rules.flat().some(goes)) ||
      [...this.#elements.values()].some((elements) =>
        [...elements.values()].some((value) => value.endsWith(` ${chain}`)),
      )
    );
  }

  #require(statement: NftStatement): void {
    if ((statement.do === 'goto' || statement.do === 'jump') && !this.#chains.has(statement.chain))
      throw new NftRefusedError('ENOENT', `chain ${statement.chain}`);
    if (statement.do === 'lookup') this.#elementsOf(statement.set);
    if ('map' in statement) this.#elementsOf(statement.map);
  }

  #elementsOf(set: string): Map<string, string> {
    const elements = this.#elements.get(set);
    if (elements === undefined) throw new NftRefusedError('ENOENT', `set ${set}`);
    return elements;
  }
}
