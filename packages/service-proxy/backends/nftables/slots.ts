import type { Endpoint } from '../../table/entry.ts';

/**
 * Puts endpoints into slots 0…n-1 so that as few slots as possible change from `previous` (`ADDRESS . PORT` by slot): who stays below n
 * stays put, the others fill the gaps in order. Without it, one endpoint that goes would move all behind it.
 */
export function assignSlots(
  endpoints: readonly Endpoint[],
  previous: readonly (string | undefined)[],
): readonly string[] {
  const texts = endpoints.map(endpointText);
  if (previous.length === 0) return texts;
  const wanted = new Set(texts);
  const slots: (string | undefined)[] = texts.map((_, slot) => {
    const before = previous[slot];
    // delete() is true once for each endpoint: a repeated one cannot take two slots.
    return before !== undefined && wanted.delete(before) ? before : undefined;
  });
  const waiting = texts.filter((text) => wanted.has(text)).values();
  return slots.map((slot) => slot ?? waiting.next().value ?? '');
}

export function endpointText(endpoint: Endpoint): string {
  return `${endpoint.address} . ${endpoint.port}`;
}
