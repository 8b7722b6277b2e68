import type { Informer } from '#kube-client';

interface Named {
  readonly metadata?: { readonly namespace?: string; readonly name?: string };
}

/** A collection that a test changes by hand, in the place of an informer. */
export class ObjectStore<T extends Named> implements Informer<T> {
  readonly synced: Promise<void>;
  hasSynced = false;
  readonly #objects = new Map<string, T>();
  readonly #listeners = new Set<(current: T | undefined, old: T | undefined) => void>();
  readonly #markSynced: () => void;

  constructor(objects: readonly T[] = [], options: { readonly synced?: boolean } = {}) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#markSynced = resolve;
    for (const object of objects) this.#objects.set(keyOf(object), object);
    if (options.synced ?? true) this.sync();
  }

  /** The first list is in. */
  sync(): void {
    this.hasSynced = true;
    this.#markSynced();
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  onChange(listener: (current: T | undefined, old: T | undefined) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  set(object: T): void {
    const old = this.#objects.get(keyOf(object));
    this.#objects.set(keyOf(object), object);
    for (const listener of this.#listeners) listener(object, old);
  }

  delete(object: T): void {
    const old = this.#objects.get(keyOf(object));
    this.#objects.delete(keyOf(object));
    for (const listener of this.#listeners) listener(undefined, old);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function keyOf({ metadata }: Named): string {
  return metadata?.namespace === undefined ? `${metadata?.name}` : `${metadata.namespace}/${metadata.name}`;
}
