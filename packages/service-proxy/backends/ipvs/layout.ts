import type { IpAddress, IpFamily } from '#ip';
import { type Frontend, type FrontendKey, isExternal, keyOf, type ServiceEntry } from '../../table/entry.ts';
import { factElements } from '../nft/facts.ts';
import type { TableLayout } from '../nft/layout.ts';
import type { NftElement } from '../nft/model.ts';
import { placeText } from '../nft/place.ts';
import { SHARED_SOURCE_SETS, sourceElements } from '../nft/sources.ts';
import { SHAPE } from './structure.ts';

/** What decides about a Service's elements beside its entry. */
export interface IpvsPlacement {
  /** The mark of outside sources' packets, where these have destinations of their own. */
  readonly marks: ReadonlyMap<FrontendKey, number>;
  /** External addresses that the node has by itself: their other ports are none of ours. */
  readonly nodesOwn: ReadonlySet<IpAddress>;
  /** Frontends whose packets reach the endpoint as they are. */
  readonly direct: ReadonlySet<FrontendKey>;
}

/** @param place gives a Service's present placement */
export function ipvsLayout(place: (entry: ServiceEntry) => IpvsPlacement): TableLayout<IpvsPlacement> {
  return {
    shape: SHAPE,
    sharedSets: new Set([...SHARED_SOURCE_SETS, 'external_ips']),
    place,
    elements: entryElements,
    facts: factElements,
  };
}

function entryElements(
  entry: ServiceEntry,
  placement: IpvsPlacement,
  family: IpFamily,
): readonly NftElement[] {
  const frontends = entry.frontends.filter((frontend) => frontend.family === family && !frontend.elsewhere);
  const elements: NftElement[] = [];
  const add = (set: string, key: string, value = '') => elements.push({ set, key, value });
  const externals = new Set<string>();
  for (const frontend of frontends) {
    const place = placeText(frontend);
    if (isExternal(frontend) && !placement.nodesOwn.has(frontend.address)) externals.add(frontend.address);
    if (frontend.target.kind === 'reject' || isLoopback(frontend.address)) {
      add('refused', place);
      continue;
    }
    const guard = guardOf(frontend);
    if (guard !== undefined) add('guards', place, guard);
    add('served', place);
    const mark = placement.marks.get(keyOf(frontend));
    if (mark !== undefined) add('outside_marks', place, String(mark));
    if (placement.direct.has(keyOf(frontend))) add('direct', place);
  }
  for (const address of externals) add('external_ips', address);
  return [...elements, ...sourceElements(frontends)];
}

/** IPVS takes no packet from a loopback address to another machine (net/netfilter/ipvs/ip_vs_xmit.c, crosses_local_route_boundary). */
export function isLoopback(address: IpAddress): boolean {
  // By its text, which is canonical: every frontend's is looked at.
  return address === '::1' || address.startsWith('127.');
}

/** What happens to a new connection before IPVS sees it; undefined: nothing. */
function guardOf({ target, outside, sourceRanges }: Frontend): string | undefined {
  if (target.kind === 'drop') return 'drop';
  const inner =
    outside === undefined ? undefined : outside.kind === 'endpoints' ? 'outside_marked' : 'outside_dropped';
  if (sourceRanges === undefined) return inner && `goto ${inner}`;
  return inner === undefined ? 'goto ranged' : `goto ranged_${inner}`;
}
