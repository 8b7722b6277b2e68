import { isDeepStrictEqual } from 'node:util';
import { KernelError } from '../errors.ts';
import { checkElement, describeElement, flattenNftKey } from '../nft-element.ts';
import type { NftElement, NftElementChange, NftFamily, NftPort } from '../ports/nft.ts';
import { FakeLimitError } from './limit-error.ts';
import { type NftDeclaration, parseNftScript } from './nft-script.ts';
import type { FakeNftSet, FakeNftTable, NamespaceState } from './state.ts';

/**
 * Models tables, chains by name, sets and maps and their elements; keeps scripts verbatim in {@link scripts}.
 * Rules are not understood, and elements written in a script are not either: {@link FakeLimitError}.
 */
export class FakeNft implements NftPort {
  readonly #state: NamespaceState;
  #generation = 1;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  /** Every script that was applied. */
  get scripts(): readonly string[] {
    return this.#state.nftScripts;
  }

  async run(script: string): Promise<void> {
    const tables = copy(this.#state.nftTables);
    for (const declaration of parseNftScript(script)) apply(tables, declaration);
    this.#commit(tables);
    this.#state.nftScripts.push(script);
  }

  async elements(changes: readonly NftElementChange[]): Promise<void> {
    if (changes.length === 0) return;
    const tables = copy(this.#state.nftTables);
    for (const change of changes) this.#change(tables, change);
    this.#commit(tables);
  }

  async listElements(family: NftFamily, table: string, set: string): Promise<readonly NftElement[]> {
    return [...this.#set(this.#state.nftTables, { family, table, set }).elements.values()];
  }

  async listTable(family: NftFamily, table: string): Promise<readonly unknown[] | undefined> {
    if (!this.#state.nftTables.has(`${family} ${table}`)) return undefined;
    throw new FakeLimitError('the fake kernel does not list an nft table: use listElements() and scripts');
  }

  async listRules(family: NftFamily, table: string): Promise<readonly unknown[] | undefined> {
    return await this.listTable(family, table);
  }

  async addRules(): Promise<void> {
    throw new FakeLimitError('the fake kernel knows no rules');
  }

  generation(): number {
    return this.#generation;
  }

  async listTables(): Promise<readonly { readonly family: NftFamily; readonly name: string }[]> {
    return [...this.#state.nftTables.keys()].map((key) => {
      const [family = '', name = ''] = key.split(' ');
      return { family: family as NftFamily, name };
    });
  }

  #commit(tables: ReadonlyMap<string, FakeNftTable>): void {
    this.#generation++;
    this.#state.nftTables.clear();
    for (const [key, table] of tables) this.#state.nftTables.set(key, table);
  }

  #set(
    tables: ReadonlyMap<string, FakeNftTable>,
    { family, table, set }: Pick<NftElementChange, 'family' | 'table' | 'set'>,
  ): FakeNftSet {
    const found = tables.get(`${family} ${table}`)?.sets.get(set);
    if (found !== undefined) return found;
    throw new KernelError({
      errno: 'ENOENT',
      operation: 'change nft elements',
      object: `${family} ${table} ${set}`,
    });
  }

  #change(tables: ReadonlyMap<string, FakeNftTable>, change: NftElementChange): void {
    checkElement(change);
    const set = this.#set(tables, change);
    const element = elementOf(change);
    const key = hex(element.key) + (element.keyEnd === undefined ? '' : `-${hex(element.keyEnd)}`);
    const fail = (errno: string) =>
      new KernelError({
        errno,
        operation: 'change nft elements',
        object: describeElement(change),
      });
    if (change.op === 'delete') {
      if (!set.elements.delete(key)) throw fail('ENOENT');
      return;
    }
    if (set.map !== (change.data !== undefined) || (change.timeout !== undefined && !set.timeout))
      throw fail('EINVAL');
    if (change.data !== undefined && 'verdict' in change.data && 'chain' in change.data.verdict) {
      const { chain } = change.data.verdict;
      if (!tables.get(`${change.family} ${change.table}`)?.chains.has(chain)) throw fail('ENOENT');
    }
    const existing = set.elements.get(key);
    if (existing !== undefined && !isDeepStrictEqual(existing.data, element.data)) throw fail('EEXIST');
    // The kernel keeps the first comment.
    if (existing === undefined) set.elements.set(key, element);
  }
}

function apply(tables: Map<string, FakeNftTable>, declaration: NftDeclaration): void {
  const key = `${declaration.family} ${declaration.table}`;
  const table = tables.get(key);
  switch (declaration.kind) {
    case 'table':
      if (table === undefined) tables.set(key, { sets: new Map(), chains: new Set() });
      return;
    case 'delete-table':
      if (table === undefined && declaration.mustExist)
        throw new KernelError({
          errno: 'ENOENT',
          operation: 'run',
          object: 'nft script',
          detail: `no table ${key}`,
        });
      tables.delete(key);
      return;
    case 'chain':
      table?.chains.add(declaration.name);
      return;
    case 'set':
      if (table !== undefined && !table.sets.has(declaration.name))
        table.sets.set(declaration.name, {
          map: declaration.map,
          timeout: declaration.timeout,
          elements: new Map(),
        });
  }
}

function copy(tables: ReadonlyMap<string, FakeNftTable>): Map<string, FakeNftTable> {
  return new Map(
    [...tables].map(([key, { sets, chains }]) => [
      key,
      {
        chains: new Set(chains),
        sets: new Map([...sets].map(([name, set]) => [name, { ...set, elements: new Map(set.elements) }])),
      },
    ]),
  );
}

function elementOf({ key, keyEnd, data, comment, timeout }: NftElementChange): NftElement {
  return {
    key: Uint8Array.from(flattenNftKey(key)),
    ...(keyEnd === undefined ? {} : { keyEnd: Uint8Array.from(flattenNftKey(keyEnd)) }),
    ...(data === undefined
      ? {}
      : { data: 'value' in data ? { value: Uint8Array.from(flattenNftKey(data.value)) } : data }),
    ...(comment === undefined ? {} : { comment }),
    ...(timeout === undefined ? {} : { timeout }),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
