import type { IpFamily } from '#ip';
import type { ServiceEntry } from '../../table/entry.ts';
import type { NodeFacts } from '../../table/facts.ts';
import type { NftChain, NftElement, NftSet } from './model.ts';
import type { ObservedElements } from './observed-elements.ts';

/** What a mechanism has in its one nft table: named for it, with the same sets and chains in each family that the node has. */
export interface TableShape {
  readonly name: string;
  readonly sets: readonly NftSet[];
  /** Chains that do not depend on any Service, each before those that go to it. */
  readonly chains: readonly NftChain[];
  /** Further chains, which are there while something goes to them. */
  readonly targets: TargetChains;
}

/** Chains whose name says all that is in them. */
export interface TargetChains {
  is(name: string): boolean;
  body(name: string): {
    readonly chain: NftChain;
    /** The target chains that it goes to: those must exist before it. */
    readonly needs: readonly string[];
  };
  /** Made with the table, and kept without use. */
  readonly readyMade: readonly string[];
}

export const NO_TARGETS: TargetChains = {
  is: () => false,
  body(name) {
    throw new Error(`${name} is no target chain`);
  },
  readyMade: [],
};

/**
 * A {@link TableShape} and the elements that Services have in it.
 * @template Placed what of a Service's elements depends on the past, as which endpoint has which slot
 */
export interface TableLayout<Placed> {
  readonly shape: TableShape;
  /** Sets whose elements can belong to more than one Service. */
  readonly sharedSets: ReadonlySet<string>;
  /** Chooses what may be chosen, as near to before as can be. */
  place(entry: ServiceEntry, family: IpFamily, before: Before<Placed>): Placed;
  /** Every element of one Service, in one family. Those of {@link sharedSets} may be asked for by several Services. */
  elements(entry: ServiceEntry, placed: Placed, family: IpFamily): readonly NftElement[];
  /** Elements of the fact sets but the sentinel. */
  facts(facts: NodeFacts, family: IpFamily): readonly NftElement[];
}

/** What is known of a Service's past: what an earlier life has left in the kernel, or what this one placed. */
export type Before<Placed> =
  | { readonly observed: ObservedElements }
  | { readonly placed: Placed }
  | undefined;
