import { deepEqual, formatTime, type JsonObject, nameKey, withAt } from '#kube-api';
import type { Clock, Random } from '#runtime';
import { applyConfiguration } from '../patch/apply.ts';
import { trackUpdate } from '../patch/managed-fields.ts';
import { alreadyExists, badRequest, expired, notFound, StatusError } from '../status.ts';
import type { Entry, Store } from '../storage/store.ts';
import { beforeCreate } from './before-create.ts';
import { beforeUpdate } from './before-update.ts';
import { type Decoded, decodeObject } from './decode.ts';
import { checkPreconditions, terminating } from './deletion.ts';
import { type Kind, type KindContext, storageName } from './kind.ts';
import { metaOf, withMeta } from './metadata.ts';
import { Pages } from './pages.ts';
import type {
  ApplyOptions,
  DeleteRequest,
  ListQuery,
  ListResult,
  Target,
  WriteOptions,
  Written,
} from './requests.ts';
import { selection } from './selection.ts';
import type { ServiceAllocator } from './service-allocator.ts';
import { trackChange } from './track-change.ts';
import { checkNamespace, checkUid } from './validate.ts';
import { keyInScope, parseVersion, type WatchQuery, type WatchSink, watchStore } from './watch.ts';
import { isFinished, namespaceFinalizers, withoutTimes, withPropagation } from './write-rules.ts';

export interface RegistryDeps {
  readonly store: Store;
  readonly services: ServiceAllocator;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * The API's verbs over the store: generic, synchronous, the same for HTTP and for clients in the process. What is refused is
 * a StatusError with the API's code and reason.
 */
export class Registry {
  readonly store: Store;
  readonly #context: KindContext;
  readonly #pages = new Pages();

  constructor({ store, services, clock, random }: RegistryDeps) {
    this.store = store;
    this.#context = {
      services,
      clock,
      random,
      find: (storage, key) => store.get(storage, key)?.object,
    };
  }

  get(target: Target): JsonObject {
    return this.#view(target.kind, this.#entry(target).object);
  }

  list(kind: Kind, query: ListQuery): ListResult {
    if (query.continue) return this.#pages.next(query.continue, query.limit);
    const wanted = parseVersion(query.resourceVersion);
    if (wanted > this.store.version)
      throw new StatusError(
        504,
        'Timeout',
        `Too large resource version: ${wanted}, current: ${this.store.version}`,
        {
          causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
          retryAfterSeconds: 1,
        },
      );
    if (query.resourceVersionMatch === 'Exact' && wanted !== this.store.version && wanted > 0)
      throw expired(`The provided resource version is too old: ${wanted}`);
    const selected = selection(kind, query);
    const items: JsonObject[] = [];
    for (const { key, object } of this.store.list(storageName(kind))) {
      if (!keyInScope(key, query)) continue;
      const view = this.#view(kind, object);
      if (selected === undefined || selected(view)) items.push(view);
    }
    const limit = query.limit ?? 0;
    if (limit <= 0 || items.length <= limit) return { items, resourceVersion: String(this.store.version) };
    return this.#pages.begin({ version: this.store.version, items }, limit);
  }

  watch(kind: Kind, query: WatchQuery, sink: WatchSink): Disposable {
    return watchStore(this.store, kind, query, sink);
  }

  create(kind: Kind, namespace: string | undefined, body: unknown, options: WriteOptions): Written {
    const { object, warnings } = decodeObject(body, kind, options.fieldValidation ?? 'Ignore', options.text);
    const created = beforeCreate(kind, namespace, object, this.#context);
    const { manager } = options;
    const tracked = trackUpdate(withAt(created, ['metadata', 'managedFields'], undefined), undefined, kind, {
      manager,
      time: this.time(),
    });
    return { object: this.#insert(kind, namespace, tracked, options), warnings, created: true };
  }

  /** Replaces (PUT). */
  update(target: Target, body: unknown, options: WriteOptions): Written {
    const { kind } = target;
    const entry = this.#entry(target);
    const decoded = decodeObject(body, kind, options.fieldValidation ?? 'Ignore', options.text);
    const meta = metaOf(decoded.object);
    if ((meta.name ?? '') !== '' && meta.name !== target.name)
      throw badRequest(
        `the name of the object (${meta.name}) does not match the name on the URL (${target.name})`,
      );
    if ((meta.name ?? '') === '')
      throw badRequest(
        `the name of the object (${target.name} based on URL) was undeterminable: name must be provided`,
      );
    checkNamespace(meta, target.namespace);
    return this.#update(target, entry, decoded, options);
  }

  /** Reads, changes through `patch` (given the object as the API shows it), writes. */
  patch(target: Target, patch: (current: JsonObject) => unknown, options: WriteOptions): Written {
    const entry = this.#entry(target);
    const patched = patch(this.#view(target.kind, entry.object));
    const decoded = decodeObject(patched, target.kind, options.fieldValidation ?? 'Ignore');
    const meta = metaOf(decoded.object);
    if (meta.name !== target.name) throw badRequest('the name of the object is immutable');
    checkNamespace(meta, target.namespace);
    checkUid(target, metaOf(entry.object), meta);
    return this.#update(target, entry, decoded, options);
  }

  /** Server-side apply; creates what is not there. */
  apply(target: Target, body: unknown, options: ApplyOptions): Written {
    const { kind, namespace, name } = target;
    const { force } = options;
    const { object: applied, warnings } = decodeObject(
      body,
      kind,
      options.fieldValidation ?? 'Ignore',
      options.text,
    );
    const meta = metaOf(applied);
    if (meta.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
    if (meta.name !== undefined && meta.name !== name)
      throw badRequest(`metadata.name (${meta.name}) does not match the name on the URL (${name})`);
    checkNamespace(meta, namespace);
    const named = withMeta(applied, { ...meta, name, ...(namespace !== undefined && { namespace }) });
    const writer = { manager: options.manager, subresource: options.subresource, time: this.time() };
    const entry = this.store.get(storageName(kind), nameKey(namespace, name));
    if (entry === undefined) {
      if (meta.uid !== undefined || meta.resourceVersion !== undefined) throw notFound(kind.resource, name);
      const merged = applyConfiguration(undefined, named, kind, writer, force);
      const created = beforeCreate(kind, namespace, merged, this.#context);
      return { object: this.#insert(kind, namespace, created, options), warnings, created: true };
    }
    const old = this.#view(kind, entry.object);
    checkUid(target, metaOf(old), meta);
    const merged = applyConfiguration(old, named, kind, writer, force);
    const next = beforeUpdate(kind, old, merged, options, this.#context);
    return { object: this.#replace(target, old, next, options), warnings, created: false };
  }

  /** Returns the object when its end is only begun, or its last state. `gone` says which. */
  delete(
    target: Target,
    request: DeleteRequest = {},
  ): { readonly object: JsonObject; readonly gone: boolean } {
    const { kind, name } = target;
    const { object } = this.#entry(target);
    const meta = metaOf(object);
    checkPreconditions(kind, name, meta, request.preconditions);
    const grace = kind.gracePeriod?.(object, request.gracePeriodSeconds) ?? 0;
    const finalizers = withPropagation(meta.finalizers ?? [], request.propagationPolicy);
    const wait = grace > 0 || finalizers.length > 0 || namespaceFinalizers(object).length > 0;
    if (!wait) {
      if (request.dryRun !== true) this.store.remove(storageName(kind), nameKey(target.namespace, name));
      return { object: this.#view(kind, object), gone: true };
    }
    const next = terminating(kind, object, grace, finalizers, this.#context.clock.now());
    if (deepEqual(next, object) || request.dryRun === true)
      return { object: this.#view(kind, next), gone: false };
    const stored = this.store.put(storageName(kind), nameKey(target.namespace, name), next);
    return { object: this.#view(kind, stored.object), gone: false };
  }

  deleteCollection(kind: Kind, query: ListQuery, request: DeleteRequest): ListResult {
    const listed = this.list(kind, { ...query, limit: undefined });
    for (const item of listed.items) {
      const { namespace, name = '' } = metaOf(item);
      this.delete({ kind, namespace, name }, { ...request, preconditions: undefined });
    }
    return listed;
  }

  #update(target: Target, entry: Entry, given: Decoded, options: WriteOptions): Written {
    const { kind } = target;
    const old = this.#view(kind, entry.object);
    const next = beforeUpdate(kind, old, given.object, options, this.#context);
    const tracked = trackChange(kind, next, old, options, this.time());
    return { object: this.#replace(target, old, tracked, options), warnings: given.warnings, created: false };
  }

  #insert(kind: Kind, namespace: string | undefined, object: JsonObject, options: WriteOptions): JsonObject {
    const { name = '' } = metaOf(object);
    const storage = storageName(kind);
    const key = nameKey(namespace, name);
    if (this.store.get(storage, key) !== undefined) throw alreadyExists(kind.resource, name);
    if (options.dryRun === true) return object;
    return this.#put(kind, key, object);
  }

  /** Stores the object in place of `old`, unless it is the same; the last write of one that is being deleted removes it. */
  #replace(
    { kind, namespace, name }: Target,
    old: JsonObject,
    object: JsonObject,
    options: WriteOptions,
  ): JsonObject {
    if (deepEqual(withoutTimes(object), withoutTimes(old))) return old;
    if (options.dryRun === true) return object;
    const key = nameKey(namespace, name);
    const stored = this.#put(kind, key, object);
    if (!isFinished(object)) return stored;
    const last = this.store.remove(storageName(kind), key);
    return last === undefined ? object : this.#view(kind, last.object);
  }

  #put(kind: Kind, key: string, object: JsonObject): JsonObject {
    const stored = kind.storedAs === undefined ? object : kind.storedAs.toStored(object);
    return this.#view(kind, this.store.put(storageName(kind), key, stored).object);
  }

  #entry({ kind, namespace, name }: Target): Entry {
    const entry = this.store.get(storageName(kind), nameKey(namespace, name));
    if (entry === undefined) throw notFound(kind.resource, name);
    return entry;
  }

  #view(kind: Kind, stored: JsonObject): JsonObject {
    return kind.storedAs === undefined ? stored : (kind.storedAs.fromStored(stored) as JsonObject);
  }

  /** Now, as the API writes it. */
  time(): string {
    return formatTime(this.#context.clock.now());
  }
}
