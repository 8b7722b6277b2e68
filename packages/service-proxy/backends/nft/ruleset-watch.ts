import type { NftPort } from '#kernel';

/** What a table is read and written by. */
export type TableNft = Pick<NftPort, 'run' | 'elements' | 'addRules' | 'listElements' | 'listRules'>;

/**
 * Tells whether anyone else has changed any rules of the namespace: the kernel counts transactions, and this those that go through it.
 * A question costs some microseconds at any size.
 */
export class RulesetWatch implements TableNft {
  readonly #nft: NftPort;
  /** The generation that is explained by what went through here; undefined: someone else's change is not. */
  #explained: number | undefined;

  constructor(nft: NftPort) {
    this.#nft = nft;
  }

  /** From now on: ask before reading what {@link isUndisturbed} shall vouch for. */
  mark(): void {
    this.#explained = this.#nft.generation();
  }

  /** Nothing but what went through here since {@link mark}. */
  isUndisturbed(): boolean {
    return this.#explained !== undefined && this.#nft.generation() === this.#explained;
  }

  run(script: string): Promise<void> {
    return this.#transaction(() => this.#nft.run(script));
  }
  elements(changes: Parameters<NftPort['elements']>[0]): Promise<void> {
    return this.#transaction(() => this.#nft.elements(changes));
  }
  addRules(...rules: Parameters<NftPort['addRules']>): Promise<void> {
    return this.#transaction(() => this.#nft.addRules(...rules));
  }
  listElements(...set: Parameters<NftPort['listElements']>): ReturnType<NftPort['listElements']> {
    return this.#nft.listElements(...set);
  }
  listRules(...table: Parameters<NftPort['listRules']>): ReturnType<NftPort['listRules']> {
    return this.#nft.listRules(...table);
  }

  /** One that writes what is there already is not counted by the kernel. */
  async #transaction(send: () => Promise<void>): Promise<void> {
    const undisturbed = this.isUndisturbed();
    const before = this.#nft.generation();
    await send();
    const after = this.#nft.generation();
    this.#explained = undisturbed && (after === before || after === (before + 1) >>> 0) ? after : undefined;
  }
}
