import type { IpFamily } from '#ip';
import {
  type Frontend,
  type FrontendKey,
  keyOf,
  reachableEndpoints,
  type ServiceEntry,
} from '../../table/entry.ts';
import { transport } from '../../table/transport.ts';
import type { NftElement } from '../nft/model.ts';
import { placeText } from '../nft/place.ts';
import { sourceElements } from '../nft/sources.ts';
import { endpointMap, localEndpointMap } from './endpoint-maps.ts';
import { assignSlots, endpointText } from './slots.ts';
import { isSticky, learnChain, targetChain } from './target-chains.ts';

/** Which endpoint is in which slot of one frontend's pools. */
export interface FrontendSlots {
  readonly endpoints: readonly string[];
  readonly local: readonly string[];
}
export type EntrySlots = ReadonlyMap<FrontendKey, FrontendSlots>;

const NO_SLOTS: readonly string[] = [];

export function entrySlots(
  entry: ServiceEntry,
  family: IpFamily,
  previous: (
    frontend: Frontend,
  ) =>
    | { readonly endpoints: readonly (string | undefined)[]; readonly local: readonly (string | undefined)[] }
    | undefined,
): EntrySlots {
  const slots = new Map<FrontendKey, FrontendSlots>();
  for (const frontend of entry.frontends) {
    if (frontend.family !== family) continue;
    const key = keyOf(frontend);
    const before = previous(frontend);
    const { target, outside } = frontend;
    slots.set(key, {
      endpoints:
        target.kind === 'endpoints' ? assignSlots(target.endpoints, before?.endpoints ?? NO_SLOTS) : NO_SLOTS,
      local:
        outside?.kind === 'endpoints' ? assignSlots(outside.endpoints, before?.local ?? NO_SLOTS) : NO_SLOTS,
    });
  }
  return slots;
}

/**
 * Every element of one Service, in one family. Those of the shared sets may be asked for by several Services.
 */
export function entryElements(
  entry: ServiceEntry,
  slots: EntrySlots,
  family: IpFamily,
): readonly NftElement[] {
  const elements: NftElement[] = [];
  const add = (set: string, key: string, value = '') => elements.push({ set, key, value });
  const frontends = entry.frontends.filter((frontend) => frontend.family === family);
  for (const frontend of frontends) {
    const place = placeText(frontend);
    if (frontend.target.kind === 'reject') {
      add('refused', place);
      continue;
    }
    const chain = targetChain(frontend);
    add('services', place, chain === undefined ? 'drop' : `goto ${chain}`);
    const protocol = transport(frontend.protocol);
    const slotPlace = `${frontend.address} . ${frontend.port}`;
    const frontendSlots = slots.get(keyOf(frontend));
    frontendSlots?.endpoints.forEach(
      (text, slot) => void add(endpointMap(protocol), `${slotPlace} . ${slot}`, text),
    );
    frontendSlots?.local.forEach(
      (text, slot) => void add(localEndpointMap(protocol), `${slotPlace} . ${slot}`, text),
    );
    if (isSticky(frontend)) {
      add('learners', place, `jump ${learnChain(frontend.affinitySeconds)}`);
      for (const endpoint of reachableEndpoints(frontend))
        add('affine_endpoints', `${place} . ${endpointText(endpoint)}`);
    }
  }
  return [...elements, ...sourceElements(frontends)];
}
