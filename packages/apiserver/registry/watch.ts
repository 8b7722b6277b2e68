import type { JsonObject } from '#kube-api';
import { badRequest, expired } from '../status.ts';
import type { Entry, Store, StoreEvent } from '../storage/store.ts';
import { type Kind, storageName } from './kind.ts';
import { type Selectors, selection } from './selection.ts';

export interface WatchQuery extends Selectors {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  /** '' and '0' start with the present state; a number with what came after it. */
  readonly resourceVersion?: string | undefined;
  /** The present state first, then a bookmark that says so (watch-list). */
  readonly sendInitialEvents?: boolean;
}

export interface WatchItem {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: JsonObject;
  /** The object's JSON text, when it is the stored one unchanged. */
  readonly json: string | undefined;
}

export interface WatchSink {
  item(item: WatchItem): void;
  /** Called once, when the initial state that `sendInitialEvents` asked for is through. */
  initialEnd(version: number): void;
}

/**
 * Feeds a sink, synchronously from inside the store's writes, until disposed. An object that stops matching the
 * selectors is DELETED, one that starts to is ADDED. @throws StatusError 400, or 410 when events are forgotten
 */
export function watchStore(store: Store, kind: Kind, query: WatchQuery, sink: WatchSink): Disposable {
  const resource = storageName(kind);
  const { storedAs } = kind;
  const view = (entry: Entry): JsonObject =>
    storedAs === undefined ? entry.object : (storedAs.fromStored(entry.object) as JsonObject);
  const selected = selection(kind, query);
  const inScope = (key: string) => keyInScope(key, query);
  const send = (type: WatchItem['type'], entry: Entry, object: JsonObject) =>
    sink.item({ type, object, json: storedAs === undefined ? entry.json : undefined });
  const deliver = ({ type, entry, previous }: StoreEvent) => {
    if (!inScope(entry.key)) return;
    const object = view(entry);
    if (selected === undefined) return send(type, entry, object);
    const matches = type !== 'DELETED' && selected(object);
    const matched = previous !== undefined && selected(view(previous));
    if (matches) send(matched ? 'MODIFIED' : 'ADDED', entry, object);
    else if (matched) send('DELETED', entry, object);
  };
  const since = parseVersion(query.resourceVersion);
  if (query.sendInitialEvents === true || since === 0) {
    for (const entry of store.list(resource)) {
      if (!inScope(entry.key)) continue;
      const object = view(entry);
      if (selected === undefined || selected(object)) send('ADDED', entry, object);
    }
    if (query.sendInitialEvents === true) sink.initialEnd(store.version);
  } else {
    const events = store.eventsSince(resource, since);
    if (events === undefined) throw expired(`too old resource version: ${since} (${store.version})`);
    for (const event of events) deliver(event);
  }
  return store.subscribe(resource, deliver);
}

export function keyInScope(
  key: string,
  { namespace, name }: { readonly namespace?: string | undefined; readonly name?: string | undefined },
): boolean {
  if (namespace !== undefined && !key.startsWith(`${namespace}/`)) return false;
  return name === undefined || key.slice(key.indexOf('/') + 1) === name;
}

/** A resourceVersion of a query; 0 when it is absent. @throws StatusError 400 */
export function parseVersion(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/.test(text))
    throw badRequest(`Invalid value for resourceVersion: ${JSON.stringify(text)}`);
  return Number(text);
}
