import type { Resource } from '#kube-api';
import {
  type Clock,
  errorMessage,
  type Logger,
  otherWork,
  type Random,
  type RetryDelays,
  silentLogger,
  sleep,
  systemClock,
  systemRandom,
} from '#runtime';
import { Backoff } from './backoff.ts';
import { ApiError, isGone } from './errors.ts';
import { Indexes } from './indexes.ts';
import { compareResourceVersions, keyOf, metadataOf } from './metadata.ts';
import type { Informer, KubeClient, ListOptions, WatchEvent } from './ports.ts';

export interface InformerOptions<T, I extends string = never> extends ListOptions {
  /** Applied to each object before it is stored: drop what nobody here reads. Must return a new object, not write to its argument. */
  readonly transform?: (object: T) => T;
  /** Further keys under which objects are found by {@link IndexedInformer.byIndex}. */
  readonly indexers?: Readonly<Record<I, (object: T) => readonly string[]>>;
}

export interface InformerDeps {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly logger?: Logger;
  /** How long to wait after a failure, at most: {@link Backoff}. */
  readonly retryMs?: RetryDelays;
}

export interface IndexedInformer<T, I extends string = never> extends Informer<T> {
  /** The objects for which the named indexer gave `key`. */
  byIndex(index: I, key: string): readonly T[];
  /**
   * Takes what the server answered to a write of ours, unless something newer is known: whoever writes and then reads
   * the informer sees its own write, and does not do it twice.
   */
  learn(written: T): void;
}

/** A watch that lived so long was a good one: the next failure begins with short delays again. */
const HEALTHY_MS = 5_000;
/** Objects of a list that listeners are told of between other work: some milliseconds. */
const PART = 200;

/** Starts to list and watch at once; dispose to stop. Failures are logged and tried again, never thrown. */
export function createInformer<T, I extends string = never>(
  client: KubeClient,
  resource: Resource<T>,
  options: InformerOptions<T, I> = {},
  deps: InformerDeps = {},
): IndexedInformer<T, I> {
  return new ListWatchInformer(client, resource, options, deps);
}

type Listener<T> = (current: T | undefined, old: T | undefined) => void;

class ListWatchInformer<T, I extends string> implements IndexedInformer<T, I> {
  readonly synced: Promise<void>;
  readonly #client: KubeClient;
  readonly #resource: Resource<T>;
  readonly #options: InformerOptions<T, I>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #backoff: Backoff;
  readonly #abort = new AbortController();
  readonly #store = new Map<string, T>();
  readonly #indexes: Indexes<T, I>;
  readonly #listeners = new Set<Listener<T>>();
  readonly #running: Promise<void>;
  readonly #onSynced: () => void;
  #hasSynced = false;
  /** Everything up to here is in the store; undefined when only a list can tell. */
  #version: string | undefined;

  constructor(client: KubeClient, resource: Resource<T>, options: InformerOptions<T, I>, deps: InformerDeps) {
    this.#client = client;
    this.#resource = resource;
    this.#options = options;
    this.#clock = deps.clock ?? systemClock;
    this.#logger = (deps.logger ?? silentLogger).with({ resource: resource.plural });
    this.#backoff = new Backoff(deps.random ?? systemRandom, deps.retryMs ?? { first: 100, max: 5_000 });
    this.#indexes = new Indexes(options.indexers);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.synced = promise;
    this.#onSynced = resolve;
    this.#running = this.#run();
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  list(): readonly T[] {
    return [...this.#store.values()];
  }

  byIndex(index: I, key: string): readonly T[] {
    return this.#indexes.get(index, key);
  }

  learn(written: T): void {
    if (!this.#isStale(keyOf(written), metadataOf(written).resourceVersion ?? '')) this.#put(written);
  }

  onChange(listener: Listener<T>): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort(new Error(`informer of ${this.#resource.plural} stopped`));
    this.#listeners.clear();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const rest = await this.#listAndWatch();
      if (rest > 0) await sleep(this.#clock, rest, signal).catch(() => {});
    }
  }

  /** One list (if needed) and one watch; resolves to how long to wait before the next. Milliseconds. */
  async #listAndWatch(): Promise<number> {
    let began: number | undefined;
    let events = 0;
    const healthy = () =>
      began !== undefined && (events > 0 || this.#clock.monotonic() - began >= HEALTHY_MS);
    try {
      const version = this.#version ?? (await this.#relist());
      began = this.#clock.monotonic();
      const { signal } = this.#abort;
      for await (const event of this.#client.watch(this.#resource, {
        ...selection(this.#options),
        resourceVersion: version,
        signal,
      })) {
        events++;
        this.#apply(event);
      }
      if (!healthy()) return this.#backoff.next();
      this.#backoff.reset();
      return 0;
    } catch (error) {
      if (this.#abort.signal.aborted) return 0;
      if (healthy()) this.#backoff.reset();
      if (mustRelist(error)) this.#version = undefined;
      const delay = this.#backoff.next();
      if (isGone(error)) this.#logger.debug('the version is too old, listing again');
      else
        this.#logger.warn('cannot follow, will try again', {
          error: errorMessage(error),
          delayMs: Math.round(delay),
        });
      return isGone(error) && events > 0 ? 0 : delay;
    }
  }

  async #relist(): Promise<string> {
    const { items, resourceVersion } = await this.#client.list(this.#resource, selection(this.#options));
    this.#abort.signal.throwIfAborted();
    const gone = new Set(this.#store.keys());
    for (const [i, item] of items.entries()) {
      gone.delete(keyOf(item));
      this.#put(item);
      if (i % PART !== PART - 1) continue;
      await otherWork();
      this.#abort.signal.throwIfAborted();
    }
    for (const key of gone) this.#remove(key);
    this.#version = resourceVersion;
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      this.#onSynced();
    }
    return resourceVersion;
  }

  #apply(event: WatchEvent<T>): void {
    if (event.type === 'BOOKMARK') {
      this.#advance(event.resourceVersion);
      return;
    }
    const { resourceVersion = '' } = metadataOf(event.object);
    const key = keyOf(event.object);
    if (this.#isStale(key, resourceVersion)) return;
    if (event.type === 'DELETED') this.#remove(key);
    else this.#put(event.object);
    this.#advance(resourceVersion);
  }

  /** What we hold under this key is newer than `version`. */
  #isStale(key: string, version: string): boolean {
    const held = this.#store.get(key);
    const heldVersion = held === undefined ? undefined : metadataOf(held).resourceVersion;
    if (heldVersion !== undefined) return compareResourceVersions(version, heldVersion) < 0;
    // It is not here; if we are past `version`, it was and has been deleted since.
    return this.#version !== undefined && compareResourceVersions(version, this.#version) < 0;
  }

  #advance(version: string): void {
    if (this.#version === undefined || compareResourceVersions(version, this.#version) > 0)
      this.#version = version;
  }

  #put(object: T): void {
    const key = keyOf(object);
    const old = this.#store.get(key);
    if (old !== undefined && sameVersion(old, object)) return;
    const current = this.#options.transform?.(object) ?? object;
    this.#store.set(key, current);
    this.#indexes.replace(old, current);
    this.#notify(current, old);
  }

  #remove(key: string): void {
    const old = this.#store.get(key);
    if (old === undefined) return;
    this.#store.delete(key);
    this.#indexes.replace(old, undefined);
    this.#notify(undefined, old);
  }

  #notify(current: T | undefined, old: T | undefined): void {
    for (const listener of this.#listeners) {
      try {
        listener(current, old);
      } catch (error) {
        this.#logger.error('a listener failed', { error: errorMessage(error) });
      }
    }
  }
}

/** Only the API's own refusals can mean that our version is of no use; a busy or absent server is simply asked again. */
function mustRelist(error: unknown): boolean {
  return error instanceof ApiError && ![429, 500, 502, 503].includes(error.status);
}

function sameVersion(a: unknown, b: unknown): boolean {
  const [left, right] = [metadataOf(a), metadataOf(b)];
  return left.uid === right.uid && left.resourceVersion === right.resourceVersion;
}

function selection({ namespace, labelSelector, fieldSelector }: ListOptions): ListOptions {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}
