import type { IpFamily } from '#ip';
import type { NftPort } from '#kernel';
import { KernelTable } from '../backends/nft/kernel-table.ts';
import { SHAPE } from '../backends/nftables/structure.ts';
import { nftRules } from './nft-rules.ts';
import type { WalkRules } from './walk.ts';

/** The rules that are in the kernel now; undefined when there is no table, or one that Podway did not make. */
export async function observedRules(nft: NftPort, family: IpFamily): Promise<WalkRules | undefined> {
  const listing = await new KernelTable(nft, family, SHAPE).read();
  return listing === undefined || listing === 'foreign' ? undefined : nftRules(listing, SHAPE.sets);
}
