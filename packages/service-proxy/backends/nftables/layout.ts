import { keyOf } from '../../table/entry.ts';
import { factElements } from '../nft/facts.ts';
import type { TableLayout } from '../nft/layout.ts';
import { SHARED_SOURCE_SETS } from '../nft/sources.ts';
import { type EntrySlots, entryElements, entrySlots } from './elements.ts';
import { observedSlots } from './observed.ts';
import { SHAPE } from './structure.ts';

/** The table of nftables maps that carries Services by itself. What is placed are endpoints in slots. */
export const LAYOUT: TableLayout<EntrySlots> = {
  shape: SHAPE,
  sharedSets: new Set(SHARED_SOURCE_SETS),
  place: (entry, family, before) =>
    entrySlots(entry, family, (frontend) => {
      if (before === undefined) return undefined;
      return 'observed' in before
        ? observedSlots(before.observed, frontend)
        : before.placed.get(keyOf(frontend));
    }),
  elements: entryElements,
  facts: factElements,
};
