import { nameKey, type ObjectMeta } from '#kube-api';
import type { Clock, Random } from '#runtime';
import { deepEqual, type JsonObject, withAt } from '../json.ts';
import { applyConfiguration } from '../patch/apply.ts';
import { trackUpdate } from '../patch/managed-fields.ts';
import { alreadyExists, badRequest, conflict, expired, forbidden, notFound, StatusError } from '../status.ts';
import type { Entry, Store } from '../storage/store.ts';
import { decodeObject } from './decode.ts';
import { checkPreconditions, terminating } from './deletion.ts';
import { type Kind, type KindContext, storageName } from './kind.ts';
import { formatTime, generateName, metaOf, newUid, withMeta } from './metadata.ts';
import { Pages } from './pages.ts';
import type { DeleteRequest, ListQuery, ListResult, Target, WriteOptions, Written } from './requests.ts';
import { selection } from './selection.ts';
import type { ServiceAllocator } from './service-allocator.ts';
import { trackChange } from './track-change.ts';
import { checkNamespace, validate } from './validate.ts';
import { keyInScope, parseVersion, type WatchQuery, type WatchSink, watchStore } from './watch.ts';
import {
  fixedMeta,
  hasStatus,
  isFinished,
  mergeParts,
  namespaceFinalizers,
  statusMeta,
  withoutMetaAndStatus,
  withoutTimes,
  withPropagation,
} from './write-rules.ts';

export interface RegistryDeps {
  readonly store: Store;
  readonly services: ServiceAllocator;
  readonly clock: Clock;
  readonly random: Random;
}

/** The API's verbs over the store: generic, synchronous, the same for HTTP and for clients in the process. */
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
    return { object: this.#create(kind, namespace, object, options), warnings, created: true };
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
    return {
      object: this.#replace(target, entry, decoded.object, options),
      warnings: decoded.warnings,
      created: false,
    };
  }

  /** Reads, changes through `patch` (given the object as the API shows it), writes. */
  patch(target: Target, patch: (current: JsonObject) => unknown, options: WriteOptions): Written {
    const entry = this.#entry(target);
    const patched = patch(this.#view(target.kind, entry.object));
    const decoded = decodeObject(patched, target.kind, options.fieldValidation ?? 'Ignore');
    const meta = metaOf(decoded.object);
    if (meta.name !== target.name) throw badRequest('the name of the object is immutable');
    checkNamespace(meta, target.namespace);
    return {
      object: this.#replace(target, entry, decoded.object, options),
      warnings: decoded.warnings,
      created: false,
    };
  }

  /** Server-side apply; creates what is not there. */
  apply(target: Target, body: unknown, force: boolean, options: WriteOptions): Written {
    const { kind, namespace, name } = target;
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
      return { object: this.#create(kind, namespace, merged, options, true), warnings, created: true };
    }
    const merged = applyConfiguration(this.#view(kind, entry.object), named, kind, writer, force);
    return { object: this.#replace(target, entry, merged, options, true), warnings, created: false };
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

  #create(
    kind: Kind,
    namespace: string | undefined,
    decoded: JsonObject,
    options: WriteOptions,
    applied = false,
  ): JsonObject {
    const { resource } = kind;
    const given = metaOf(decoded);
    if ((given.resourceVersion ?? '') !== '')
      throw new StatusError(400, 'BadRequest', 'resourceVersion should not be set on objects to be created');
    checkNamespace(given, namespace);
    const generated =
      (given.name ?? '') === '' && (given.generateName ?? '') !== ''
        ? generateName(given.generateName ?? '', this.#context.random)
        : given.name;
    const { deletionTimestamp: _d, deletionGracePeriodSeconds: _g, selfLink: _s, ...rest } = given;
    const metadata: ObjectMeta = {
      ...rest,
      ...(generated !== undefined && { name: generated }),
      ...(namespace !== undefined && { namespace }),
      uid: newUid(this.#context.random),
      creationTimestamp: this.time(),
      ...(kind.hasGeneration === true && { generation: 1 }),
    };
    if (namespace !== undefined) this.#checkNamespaceOpen(kind, namespace, metadata.name ?? '');
    let object = withMeta(decoded, metadata);
    if (hasStatus(kind) && kind.statusOnCreate !== true) object = withAt(object, ['status'], undefined);
    object = kind.defaults?.(object) ?? object;
    object = kind.create?.(object, this.#context) ?? object;
    validate(kind, object, undefined);
    const name = metadata.name ?? '';
    if (!applied)
      object = trackUpdate(withAt(object, ['metadata', 'managedFields'], undefined), undefined, kind, {
        manager: options.manager,
        time: this.time(),
      });
    const key = nameKey(namespace, name);
    const storage = storageName(kind);
    if (this.store.get(storage, key) !== undefined) throw alreadyExists(resource, name);
    if (options.dryRun === true) return object;
    return this.#view(kind, this.store.put(storage, key, this.#stored(kind, object)).object);
  }

  #replace(
    target: Target,
    entry: Entry,
    given: JsonObject,
    options: WriteOptions,
    applied = false,
  ): JsonObject {
    const { kind, name, namespace } = target;
    const old = this.#view(kind, entry.object);
    const oldMeta = metaOf(old);
    const meta = metaOf(given);
    if ((meta.resourceVersion ?? '') !== '' && meta.resourceVersion !== oldMeta.resourceVersion)
      throw conflict(kind.resource, name);
    if (meta.uid !== undefined && meta.uid !== oldMeta.uid)
      throw conflict(
        kind.resource,
        name,
        `Precondition failed: UID in precondition: ${meta.uid}, UID in object meta: ${oldMeta.uid}`,
      );
    let object = withMeta(
      options.binding === true ? given : mergeParts(kind, given, old, options.subresource),
      {
        ...(options.subresource === undefined ? meta : statusMeta(meta, oldMeta)),
        ...fixedMeta(oldMeta),
        managedFields: meta.managedFields ?? oldMeta.managedFields ?? [],
      },
    );
    object = kind.defaults?.(object) ?? object;
    if (options.subresource === undefined) object = kind.update?.(object, old, this.#context) ?? object;
    if (
      kind.hasGeneration === true &&
      options.subresource === undefined &&
      !deepEqual(withoutMetaAndStatus(object), withoutMetaAndStatus(old))
    )
      object = withAt(object, ['metadata', 'generation'], (oldMeta.generation ?? 0) + 1);
    if (options.binding !== true) validate(kind, object, old);
    if (!applied) object = trackChange(kind, object, old, options, this.time());
    if (deepEqual(withoutTimes(object), withoutTimes(old))) return old;
    if (options.dryRun === true) return object;
    const storage = storageName(kind);
    const key = nameKey(namespace, name);
    if (isFinished(object)) {
      this.store.put(storage, key, this.#stored(kind, object));
      const last = this.store.remove(storage, key);
      return this.#view(kind, last?.object ?? object);
    }
    return this.#view(kind, this.store.put(storage, key, this.#stored(kind, object)).object);
  }

  #checkNamespaceOpen(kind: Kind, namespace: string, name: string): void {
    const found = this.store.get('namespaces', namespace);
    if (found === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace);
    if (metaOf(found.object).deletionTimestamp === undefined) return;
    const message = `namespace ${namespace} is being terminated`;
    throw forbidden(
      kind.resource,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
      [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }],
    );
  }

  #entry({ kind, namespace, name }: Target): Entry {
    const entry = this.store.get(storageName(kind), nameKey(namespace, name));
    if (entry === undefined) throw notFound(kind.resource, name);
    return entry;
  }

  #view(kind: Kind, stored: JsonObject): JsonObject {
    return kind.storedAs === undefined ? stored : (kind.storedAs.fromStored(stored) as JsonObject);
  }

  #stored(kind: Kind, object: JsonObject): JsonObject {
    return kind.storedAs === undefined ? object : kind.storedAs.toStored(object);
  }

  /** Now, as the API writes it. */
  time(): string {
    return formatTime(this.#context.clock.now());
  }
}
