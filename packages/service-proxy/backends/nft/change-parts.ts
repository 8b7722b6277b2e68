import { otherWork } from '#runtime';
import { goneFrontends } from '../../conntrack/stale-flows.ts';
import { type FrontendKey, keyOf, reachableEndpoints, type ServiceEntry } from '../../table/entry.ts';
import type { EntryChange } from '../../table/table.ts';

/** Services that are looked at between other work: some milliseconds. */
const SLICE = 1_000;

/**
 * Services that change, by name, in parts that can be written one after the other: each of about `size` elements, before and after. Those of
 * which one takes over an address and port from another are all in the first part: if they were apart, what the one gives up could go
 * after the other has taken it.
 */
export async function changeParts(
  changes: readonly EntryChange[],
  size: number,
): Promise<readonly (readonly string[])[]> {
  const together = await takeovers(changes);
  const parts: (readonly string[])[] = together.size > 0 ? [[...together]] : [];
  let part: string[] = [];
  let elements = 0;
  for (const [i, { service, previous, next }] of changes.entries()) {
    if (i % SLICE === SLICE - 1) await otherWork();
    if (together.has(service)) continue;
    part.push(service);
    elements += elementsOf(previous) + elementsOf(next);
    if (elements < size) continue;
    parts.push(part);
    part = [];
    elements = 0;
  }
  return part.length > 0 ? [...parts, part] : parts;
}

/** About so many. */
function elementsOf(entry: ServiceEntry | undefined): number {
  let count = 0;
  for (const frontend of entry?.frontends ?? []) count += 2 + reachableEndpoints(frontend).length;
  return count;
}

/** Services that take a frontend's address and port from another of them, and those from which they take it. */
async function takeovers(changes: readonly EntryChange[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  if (changes.length < 2) return found;
  const givers = new Map<FrontendKey, string>();
  for (const [i, change] of changes.entries()) {
    if (i % SLICE === SLICE - 1) await otherWork();
    for (const place of goneFrontends(change)) givers.set(place, change.service);
  }
  if (givers.size === 0) return found;
  for (const [i, { service, next }] of changes.entries()) {
    if (i % SLICE === SLICE - 1) await otherWork();
    for (const frontend of next?.frontends ?? []) {
      const giver = givers.get(keyOf(frontend));
      if (giver !== undefined) found.add(giver).add(service);
    }
  }
  return found;
}
