import { goneFrontends } from '../../conntrack/stale-flows.ts';
import { type FrontendKey, keyOf } from '../../table/entry.ts';
import type { EntryChange } from '../../table/table.ts';

/**
 * Services that change, by name, in parts of `size` that can be written one after the other. Those of which one takes over an address and port
 * from another are all in the first part: if they were apart, what the one gives up could go after the other has taken it.
 */
export function* changeParts(changes: readonly EntryChange[], size: number): Iterable<readonly string[]> {
  const together = changes.length > size ? takeovers(changes) : new Set<string>();
  if (together.size > 0) yield [...together];
  const others = changes.map(({ service }) => service).filter((service) => !together.has(service));
  for (let at = 0; at < others.length; at += size) yield others.slice(at, at + size);
}

/** Services that take a frontend's address and port from another of them, and those that these had it. */
function takeovers(changes: readonly EntryChange[]): ReadonlySet<string> {
  const givers = new Map<FrontendKey, string>();
  for (const change of changes) for (const place of goneFrontends(change)) givers.set(place, change.service);
  const found = new Set<string>();
  if (givers.size === 0) return found;
  for (const { service, next } of changes)
    for (const frontend of next?.frontends ?? []) {
      const giver = givers.get(keyOf(frontend));
      if (giver !== undefined) found.add(giver).add(service);
    }
  return found;
}
