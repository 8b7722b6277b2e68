/** Objects found by keys that functions of them give. */
export class Indexes<T, I extends string> {
  readonly #indexers: readonly (readonly [string, (object: T) => readonly string[]])[];
  readonly #buckets = new Map<string, Map<string, Set<T>>>();

  constructor(indexers: Readonly<Record<I, (object: T) => readonly string[]>> | undefined) {
    this.#indexers = Object.entries<(object: T) => readonly string[]>(indexers ?? {});
    for (const [name] of this.#indexers) this.#buckets.set(name, new Map());
  }

  get(index: I, key: string): readonly T[] {
    return [...(this.#buckets.get(index)?.get(key) ?? [])];
  }

  /** `old` goes, `current` comes; either may be absent. */
  replace(old: T | undefined, current: T | undefined): void {
    for (const [name, keysOf] of this.#indexers) {
      const buckets = this.#buckets.get(name);
      if (buckets === undefined) continue;
      if (old !== undefined) for (const key of keysOf(old)) leave(buckets, key, old);
      if (current !== undefined) for (const key of keysOf(current)) join(buckets, key, current);
    }
  }
}

function join<T>(buckets: Map<string, Set<T>>, key: string, object: T): void {
  const bucket = buckets.get(key);
  if (bucket === undefined) buckets.set(key, new Set([object]));
  else bucket.add(object);
}

function leave<T>(buckets: Map<string, Set<T>>, key: string, object: T): void {
  const bucket = buckets.get(key);
  bucket?.delete(object);
  if (bucket?.size === 0) buckets.delete(key);
}
