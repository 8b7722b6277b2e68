import type { ConntrackEntry } from '#kernel';
import { type Frontend, type FrontendKey, keyOf } from '../table/entry.ts';
import type { EntryChange, ServiceTable } from '../table/table.ts';
import { addressedPlace, isTranslated } from './flow.ts';

/** UDP and SCTP, without an end that conntrack sees: a flow lasts as long as anyone sends. IANA protocol numbers. */
export const FLOW_PROTOCOLS: ReadonlySet<number> = new Set([17, 132]);

/**
 * The conntrack entries that keep a client on a wrong place, and nothing else:
 * - translated to an endpoint that serves the frontend no longer
 * - not translated, from before the frontend had endpoints, or translated although it has none now
 * - translated for a frontend that is gone (`gone`: what was answered before and is not any more)
 *
 * Flows to an endpoint that still serves stay, whatever traffic policy or topology says of new ones; so does every entry that is
 * not addressed to a frontend.
 */
export function staleFlows(
  entries: Iterable<ConntrackEntry>,
  table: ServiceTable,
  gone: ReadonlySet<FrontendKey>,
): readonly ConntrackEntry[] {
  const stale: ConntrackEntry[] = [];
  for (const entry of entries) {
    const key = FLOW_PROTOCOLS.has(entry.original.protocol) ? addressedPlace(entry) : undefined;
    if (key === undefined) continue;
    const frontend = table.lookup(key)?.frontend;
    if (frontend === undefined ? gone.has(key) && isTranslated(entry) : !isServed(entry, frontend))
      stale.push(entry);
  }
  return stale;
}

/** Whether a change can have made flows stale: whether conntrack must be looked at. */
export function canStrandFlows({ previous, next }: EntryChange): boolean {
  const flows = (frontends: readonly Frontend[]) => frontends.filter(({ protocol }) => protocol !== 'TCP');
  const before = flows(previous?.frontends ?? []);
  const after = new Map(flows(next?.frontends ?? []).map((frontend) => [keyOf(frontend), frontend]));
  const known = new Set(before.map(keyOf));
  const appeared = [...after.keys()].some((key) => !known.has(key));
  return (
    appeared ||
    before.some((frontend) => {
      const now = after.get(keyOf(frontend));
      if (now === undefined || now.target.kind !== frontend.target.kind) return true;
      const serving = new Set(now.serving.map(({ address, port }) => `${address} ${port}`));
      return frontend.serving.some(({ address, port }) => !serving.has(`${address} ${port}`));
    })
  );
}

/** The frontends of a change that are not answered any more. */
export function goneFrontends({ previous, next }: EntryChange): readonly FrontendKey[] {
  const kept = new Set(next?.frontends.map(keyOf));
  return (previous?.frontends ?? []).map(keyOf).filter((key) => !kept.has(key));
}

function isServed({ reply }: ConntrackEntry, frontend: Frontend): boolean {
  return frontend.serving.some(({ address, port }) => address === reply.source && port === reply.sourcePort);
}
