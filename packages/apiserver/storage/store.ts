import { asObject, type JsonObject, withAt } from '#kube-api';
import type { Database } from './database.ts';

/** One version of one object. `json` is its text, made once and sent to every watcher. */
export interface Entry {
  readonly key: string;
  readonly version: number;
  readonly object: JsonObject;
  readonly json: string;
}

export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  /** For DELETED: the last state, with the version of the deletion. */
  readonly entry: Entry;
  readonly previous: Entry | undefined;
}

interface Collection {
  readonly entries: Map<string, Entry>;
  /** Sorted; undefined after a key came or went. */
  keys: readonly string[] | undefined;
  readonly history: StoreEvent[];
  /** Events up to this version are no longer in `history`. */
  floor: number;
  readonly listeners: Set<(event: StoreEvent) => void>;
}

const HISTORY = 1024;
/** The history is cut when it has grown by this much, so that cutting costs nothing per event. */
const HISTORY_SLACK = 256;

/**
 * All objects in memory, written through to the database before anyone sees them; one version counter over all
 * resources, which is every object's resourceVersion. Everything is synchronous, so a caller that reads, decides and
 * writes without awaiting is alone.
 */
export class Store {
  readonly #database: Database;
  readonly #collections = new Map<string, Collection>();
  readonly #startVersion: number;
  #version: number;

  constructor(database: Database) {
    this.#database = database;
    const { version, rows } = database.load();
    // Versions start at 1: clients take "0" for "any".
    this.#version = Math.max(version, 1);
    this.#startVersion = this.#version;
    for (const { resource, key, version: rowVersion, json } of rows)
      this.#collection(resource).entries.set(key, {
        key,
        version: rowVersion,
        json,
        object: JSON.parse(json) as JsonObject,
      });
  }

  /** The version of the last change to anything. */
  get version(): number {
    return this.#version;
  }

  get(resource: string, key: string): Entry | undefined {
    return this.#collection(resource).entries.get(key);
  }

  /** Sorted by key. The array is a snapshot: later changes make a new one. */
  list(resource: string): readonly Entry[] {
    const collection = this.#collection(resource);
    collection.keys ??= [...collection.entries.keys()].sort();
    return collection.keys.flatMap((key) => collection.entries.get(key) ?? []);
  }

  /** Creates or replaces; gives the object its new metadata.resourceVersion. */
  put(resource: string, key: string, object: JsonObject): Entry {
    const collection = this.#collection(resource);
    const previous = collection.entries.get(key);
    const entry = this.#entry(key, this.#version + 1, object);
    this.#database.put({ resource, key, version: entry.version, json: entry.json });
    this.#version = entry.version;
    collection.entries.set(key, entry);
    if (previous === undefined) collection.keys = undefined;
    this.#publish(collection, { type: previous === undefined ? 'ADDED' : 'MODIFIED', entry, previous });
    return entry;
  }

  /** Removes an object that is there; returns its last state with the version of the deletion. */
  remove(resource: string, key: string): Entry | undefined {
    const collection = this.#collection(resource);
    const previous = collection.entries.get(key);
    if (previous === undefined) return undefined;
    const entry = this.#entry(key, this.#version + 1, previous.object);
    this.#database.remove(resource, key, entry.version);
    this.#version = entry.version;
    collection.entries.delete(key);
    collection.keys = undefined;
    this.#publish(collection, { type: 'DELETED', entry, previous });
    return entry;
  }

  /** The events after `version`; undefined when some of them are forgotten. */
  eventsSince(resource: string, version: number): readonly StoreEvent[] | undefined {
    const { history, floor } = this.#collection(resource);
    if (version < floor) return undefined;
    return history.slice(history.findLastIndex((event) => event.entry.version <= version) + 1);
  }

  /** Calls `listener` after each change to the resource, in order. */
  subscribe(resource: string, listener: (event: StoreEvent) => void): Disposable {
    const { listeners } = this.#collection(resource);
    listeners.add(listener);
    return { [Symbol.dispose]: () => void listeners.delete(listener) };
  }

  #entry(key: string, version: number, object: JsonObject): Entry {
    const versioned = withAt(object, ['metadata'], {
      ...asObject(object['metadata']),
      resourceVersion: String(version),
    });
    return { key, version, object: versioned, json: JSON.stringify(versioned) };
  }

  #publish(collection: Collection, event: StoreEvent): void {
    collection.history.push(event);
    if (collection.history.length > HISTORY + HISTORY_SLACK) {
      const dropped = collection.history.splice(0, collection.history.length - HISTORY);
      collection.floor = dropped.at(-1)?.entry.version ?? collection.floor;
    }
    for (const listener of [...collection.listeners]) listener(event);
  }

  #collection(resource: string): Collection {
    let collection = this.#collections.get(resource);
    if (collection === undefined) {
      collection = {
        entries: new Map(),
        keys: undefined,
        history: [],
        floor: this.#startVersion,
        listeners: new Set(),
      };
      this.#collections.set(resource, collection);
    }
    return collection;
  }
}
