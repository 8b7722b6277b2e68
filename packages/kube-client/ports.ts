import type { Resource } from '#kube-api';

export interface ListOptions {
  /** Only this namespace; all when absent. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface ObjectName {
  readonly namespace?: string;
  readonly name: string;
}

export type PatchType = 'merge' | 'strategic-merge' | 'json' | 'apply';

/** A Kubernetes API server, from the outside. Failures throw ApiError (`status` is the HTTP code, `reason` the API's). */
export interface KubeClient {
  list<T>(resource: Resource<T>, options?: ListOptions): Promise<ObjectList<T>>;
  get<T>(resource: Resource<T>, name: ObjectName): Promise<T>;
  create<T>(resource: Resource<T>, object: T): Promise<T>;
  /** PUT; conflicts when metadata.resourceVersion is old. */
  update<T>(resource: Resource<T>, object: T, subresource?: 'status' | 'finalize'): Promise<T>;
  patch<T>(
    resource: Resource<T>,
    name: ObjectName,
    type: PatchType,
    body: unknown,
    subresource?: 'status' | 'scale',
  ): Promise<T>;
  delete<T>(resource: Resource<T>, name: ObjectName, options?: DeleteOptions): Promise<void>;
  /** POST to a subresource: binds a Pod to a node, evicts one, asks for a token. Resolves to what the server answers. */
  post<T>(
    resource: Resource<T>,
    name: ObjectName,
    subresource: 'binding' | 'eviction' | 'token',
    body: unknown,
  ): Promise<unknown>;
  /**
   * Events from `resourceVersion` on, bookmarks included, until the server ends the watch or `signal` aborts.
   * Ends with ApiError 410 when the version is too old: list again.
   */
  watch<T>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  /** Fails with a 409 unless the stored object still is this one. */
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export interface WatchOptions extends ListOptions {
  readonly resourceVersion: string;
  readonly signal: AbortSignal;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

/**
 * A local copy of a collection, kept current by list + watch: relists on 410, resumes after a cut, never shows an older
 * object after a newer one. While the server is away the last known state stays.
 */
export interface Informer<T> extends AsyncDisposable {
  /** Resolves once the first list is in. */
  readonly synced: Promise<void>;
  readonly hasSynced: boolean;
  /** key: `namespace/name`, or `name` for cluster-scoped kinds. */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** Called after each change to the store; `old` is undefined for a new object, `current` for a deleted one. */
  onChange(listener: (current: T | undefined, old: T | undefined) => void): Disposable;
}
