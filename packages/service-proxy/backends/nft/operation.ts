import type { NftChain, NftElement, NftListing, NftSet } from './model.ts';

/** A change of the table, as a value. */
export type NftOperation =
  | { readonly do: 'add table' }
  | { readonly do: 'add set'; readonly set: NftSet }
  /** With its rules, which may go only to chains that are there. */
  | { readonly do: 'add chain'; readonly chain: NftChain }
  /** Of a chain that is there, all at once, with its policy. */
  | { readonly do: 'replace rules'; readonly chain: NftChain }
  /** Nothing goes to it. */
  | { readonly do: 'delete chain'; readonly name: string }
  | { readonly do: 'add element' | 'delete element'; readonly element: NftElement };

/** The one table of one address family, wherever it is: in the kernel, or in memory for the walker and for tests. */
export interface NftTable {
  /** undefined: not there; `foreign`: there, with something in it that Podway never writes. */
  read(): Promise<NftListing | undefined | 'foreign'>;
  /** {@link read} without elements: cheap at any size. */
  readRules(): Promise<NftListing | undefined | 'foreign'>;
  /** In order; not one transaction as a whole, but no packet sees a Service without its endpoints. */
  write(operations: readonly NftOperation[]): Promise<void>;
  /** Nothing there is not an error. */
  remove(): Promise<void>;
}
