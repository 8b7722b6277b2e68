import type { Frontend, FrontendKey } from '../../table/entry.ts';
import { transport } from '../../table/transport.ts';
import type { ObservedElements } from '../nft/observed-elements.ts';
import { placeKey } from '../nft/place.ts';
import { endpointMap, localEndpointMap } from './endpoint-maps.ts';

/** The places that are answered, be it with a "no". */
export function observedFrontends(observed: ObservedElements): ReadonlySet<FrontendKey> {
  const found = new Set<FrontendKey>();
  for (const set of ['services', 'refused'])
    for (const place of observed.get(set)?.keys() ?? []) found.add(placeKey(place));
  return found;
}

/** Which endpoint is in which slot of a frontend, so that a restart leaves each where it is. */
export function observedSlots(
  observed: ObservedElements,
  frontend: Frontend,
): { readonly endpoints: readonly string[]; readonly local: readonly string[] } {
  const slots = (set: string) => {
    const found: string[] = [];
    for (;;) {
      const text = observed.get(set)?.get(`${frontend.address} . ${frontend.port} . ${found.length}`);
      if (text === undefined) return found;
      found.push(text);
    }
  };
  const protocol = transport(frontend.protocol);
  return { endpoints: slots(endpointMap(protocol)), local: slots(localEndpointMap(protocol)) };
}
