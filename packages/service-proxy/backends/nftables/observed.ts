import type { IpAddress } from '#ip';
import { type Frontend, type FrontendKey, frontendKey, type Protocol } from '../../table/entry.ts';
import { transport } from './elements.ts';
import { endpointMap, localEndpointMap } from './structure.ts';

/** What a listing holds: set -> key -> value. */
export type ObservedElements = Map<string, Map<string, string>>;

/** The places that are answered, be it with a "no". */
export function observedFrontends(observed: ObservedElements): ReadonlySet<FrontendKey> {
  const found = new Set<FrontendKey>();
  for (const set of ['services', 'refused'])
    for (const key of observed.get(set)?.keys() ?? []) {
      const [address, protocol, port] = key.split(' . ');
      found.add(frontendKey(address as IpAddress, (protocol ?? '').toUpperCase() as Protocol, Number(port)));
    }
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
