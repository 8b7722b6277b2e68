import type { IpFamily } from '#ip';
import {
  type Frontend,
  type FrontendKey,
  keyOf,
  reachableEndpoints,
  type ServiceEntry,
} from '../../table/entry.ts';
import type { NftElement } from '../nft/model.ts';
import { placeText, transport } from '../nft/place.ts';
import { rangeText } from '../nft/range-text.ts';
import { endpointMap, localEndpointMap } from './endpoint-maps.ts';
import { assignSlots, endpointText } from './slots.ts';
import { SOURCE_NODE_ITSELF, SOURCE_OUTSIDE_NODE } from './structure.ts';
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
  const hairpins = new Set<string>();
  const clusterIPs = new Set<string>();
  for (const frontend of entry.frontends) {
    if (frontend.family !== family) continue;
    const place = placeText(frontend);
    if (frontend.kind === 'ClusterIP') clusterIPs.add(frontend.address);
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
    const source = sourceChain(frontend);
    if (source !== undefined) add('sources', place, `goto ${source}`);
    for (const range of frontend.sourceRanges ?? []) add('allowed_sources', `${place} . ${rangeText(range)}`);
    const endpoints = reachableEndpoints(frontend);
    for (const { address, local } of endpoints) if (local) hairpins.add(`${address} . ${address}`);
    if (isSticky(frontend)) {
      add('learners', place, `jump ${learnChain(frontend.affinitySeconds)}`);
      for (const endpoint of endpoints) add('affine_endpoints', `${place} . ${endpointText(endpoint)}`);
    }
  }
  for (const address of clusterIPs) add('cluster_ips', address);
  for (const pair of hairpins) add('hairpins', pair);
  return elements;
}

/** Cluster IPs need no element of their own: a rule sends all of them to `source_outside_cluster`. */
function sourceChain(frontend: Frontend): string | undefined {
  switch (frontend.masquerade) {
    case 'outside-node':
      return SOURCE_OUTSIDE_NODE;
    case 'node-itself':
      return SOURCE_NODE_ITSELF;
    case 'outside-cluster':
    case 'none':
      return undefined;
  }
}
