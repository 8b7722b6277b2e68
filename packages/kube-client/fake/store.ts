import { deepEqual } from '#kube-api';
import { ApiError } from '../errors.ts';
import { compareResourceVersions, keyOf } from '../metadata.ts';
import type { ListOptions, WatchEvent } from '../ports.ts';
import { selection } from './selectors.ts';

/** Any object, as the fake sees it: deeply frozen, so that a client that writes to what it was given fails. */
export interface FakeObject {
  readonly metadata: FakeMetadata;
  readonly [field: string]: unknown;
}

export interface FakeMetadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly creationTimestamp: string;
  readonly deletionTimestamp?: string;
  readonly deletionGracePeriodSeconds?: number;
  readonly finalizers?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

interface Change {
  readonly version: string;
  readonly old: FakeObject | undefined;
  readonly current: FakeObject | undefined;
  /** `current`, or the deleted object with the version of its deletion. */
  readonly shown: FakeObject;
}

type Subscriber = (change: Change) => void;

/** Collections with one line of versions through all of them, and their history for watches. */
export class FakeStore {
  #version = 100;
  readonly #collections = new Map<string, Map<string, FakeObject>>();
  readonly #history = new Map<string, Change[]>();
  readonly #compacted = new Map<string, string>();
  readonly #subscribers = new Map<string, Set<Subscriber>>();

  get version(): string {
    return String(this.#version);
  }

  get(collection: string, key: string): FakeObject | undefined {
    return this.#collections.get(collection)?.get(key);
  }

  list(collection: string, options: ListOptions): readonly FakeObject[] {
    const objects = [...(this.#collections.get(collection)?.values() ?? [])];
    return objects.filter(selection(options)).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  /** Stores the object under a new version and tells the watches; an unchanged one is left as it is. */
  put(collection: string, object: FakeObject): FakeObject {
    const objects = entry(this.#collections, collection, () => new Map<string, FakeObject>());
    const old = objects.get(keyOf(object));
    if (old !== undefined && deepEqual(old, object)) return old;
    const current = this.#stamp(object);
    objects.set(keyOf(current), current);
    this.#record(collection, { version: this.version, old, current, shown: current });
    return current;
  }

  remove(collection: string, key: string): void {
    const objects = this.#collections.get(collection);
    const old = objects?.get(key);
    if (old === undefined) return;
    objects?.delete(key);
    const shown = this.#stamp(old);
    this.#record(collection, { version: this.version, old, current: undefined, shown });
  }

  /** Forgets history: older watches get 410. */
  compact(): void {
    for (const collection of this.#history.keys()) {
      this.#history.set(collection, []);
      this.#compacted.set(collection, this.version);
    }
  }

  /** Calls `onEvent` for each change after `from`, those of the past at once. Throws ApiError 410 when they are forgotten. */
  watch<T>(
    collection: string,
    options: ListOptions,
    from: string,
    onEvent: (event: WatchEvent<T>) => void,
  ): Disposable {
    const compacted = this.#compacted.get(collection);
    if (compacted !== undefined && compareResourceVersions(from, compacted) < 0)
      throw new ApiError(410, {
        reason: 'Expired',
        message: `too old resource version: ${from} (${compacted})`,
      });
    const selects = selection(options);
    const tell = (change: Change) => {
      if (compareResourceVersions(change.version, from) <= 0) return;
      const event = asSeen<T>(change, selects);
      if (event !== undefined) onEvent(event);
    };
    for (const change of this.#history.get(collection) ?? []) tell(change);
    const subscribers = entry(this.#subscribers, collection, () => new Set<Subscriber>());
    subscribers.add(tell);
    return { [Symbol.dispose]: () => void subscribers.delete(tell) };
  }

  #stamp(object: FakeObject): FakeObject {
    this.#version++;
    return freeze({ ...object, metadata: { ...object.metadata, resourceVersion: this.version } });
  }

  #record(collection: string, change: Change): void {
    entry(this.#history, collection, (): Change[] => []).push(change);
    for (const subscriber of [...(this.#subscribers.get(collection) ?? [])]) subscriber(change);
  }
}

/** A change as a watch with this selection shows it: what leaves the selection is deleted for it. */
function asSeen<T>(
  { old, current, shown }: Change,
  selects: (object: FakeObject) => boolean,
): WatchEvent<T> | undefined {
  const before = old !== undefined && selects(old);
  const after = current !== undefined && selects(current);
  if (!before && !after) return undefined;
  const type = after ? (before ? 'MODIFIED' : 'ADDED') : 'DELETED';
  return { type, object: shown as unknown as T };
}

function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const held = map.get(key);
  if (held !== undefined) return held;
  const made = make();
  map.set(key, made);
  return made;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freeze(member);
  }
  return value;
}
