import { nameKey, type ObjectMeta } from '#kube-api';
import type { Clock, Random } from '#runtime';
import { deepEqual, type Json, type JsonObject, withAt } from '../json.ts';
import { applyConfiguration } from '../patch/apply.ts';
import { trackUpdate } from '../patch/managed-fields.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  expired,
  forbidden,
  invalid,
  notFound,
  StatusError,
} from '../status.ts';
import type { Entry, Store } from '../storage/store.ts';
import { decodeObject, type FieldValidation } from './decode.ts';
import { type Kind, type KindContext, storageName } from './kind.ts';
import { formatTime, generateName, metaOf, newUid, validateMetadata, withMeta } from './metadata.ts';
import { type Selectors, selection } from './selection.ts';
import type { ServiceAllocator } from './service-allocator.ts';
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

/** Where an object is. */
export interface Target {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
}

export interface WriteOptions {
  /** Who writes, for managedFields. */
  readonly manager: string;
  readonly dryRun?: boolean;
  readonly fieldValidation?: FieldValidation;
  readonly subresource?: 'status' | 'finalize' | undefined;
  /** The write is a Pod's assignment to a node, which no other update may make. */
  readonly binding?: boolean;
  /** The request's text, for finding duplicate fields. */
  readonly text?: string | undefined;
}

export interface Written {
  readonly object: JsonObject;
  readonly warnings: readonly string[];
  readonly created: boolean;
}

export interface DeleteRequest {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly dryRun?: boolean;
}

export interface ListQuery extends Selectors {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly resourceVersionMatch?: string | undefined;
}

export interface ListResult {
  readonly items: readonly JsonObject[];
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remaining?: number;
}

export interface RegistryDeps {
  readonly store: Store;
  readonly services: ServiceAllocator;
  readonly clock: Clock;
  readonly random: Random;
}

/** The snapshots behind `continue` tokens; older ones are forgotten (410), as etcd compacts them. */
const MAX_SNAPSHOTS = 32;

/** The API's verbs over the store: generic, synchronous, the same for HTTP and for clients in the process. */
export class Registry {
  readonly store: Store;
  readonly #context: KindContext;
  readonly #snapshots = new Map<
    string,
    { readonly version: number; readonly items: readonly JsonObject[] }
  >();
  #snapshotCount = 0;

  constructor({ store, services, clock, random }: RegistryDeps) {
    this.store = store;
    this.#context = { services, clock, random };
  }

  get(target: Target): JsonObject {
    return this.#view(target.kind, this.#entry(target).object);
  }

  list(kind: Kind, query: ListQuery): ListResult {
    if (query.continue) return this.#page(query.continue, query.limit);
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
    return this.#cut({ version: this.store.version, items }, 0, limit, this.#keep(items));
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
    this.#checkNamespace(meta, target.namespace);
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
    this.#checkNamespace(meta, target.namespace);
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
    this.#checkNamespace(meta, namespace);
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
    const { preconditions } = request;
    if (preconditions?.uid !== undefined && preconditions.uid !== meta.uid)
      throw conflict(
        kind.resource,
        name,
        `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${meta.uid}`,
      );
    if (
      preconditions?.resourceVersion !== undefined &&
      preconditions.resourceVersion !== meta.resourceVersion
    )
      throw conflict(
        kind.resource,
        name,
        `Precondition failed: ResourceVersion in precondition: ${preconditions.resourceVersion}, ResourceVersion in object meta: ${meta.resourceVersion}`,
      );
    const grace = kind.gracePeriod?.(object, request.gracePeriodSeconds) ?? 0;
    const finalizers = withPropagation(meta.finalizers ?? [], request.propagationPolicy);
    const wait = grace > 0 || finalizers.length > 0 || namespaceFinalizers(object).length > 0;
    if (!wait) {
      if (request.dryRun !== true) this.store.remove(storageName(kind), nameKey(target.namespace, name));
      return { object: this.#view(kind, object), gone: true };
    }
    const next = this.#terminating(object, kind, grace, finalizers);
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
    this.#checkNamespace(given, namespace);
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
    this.#validate(kind, object, undefined);
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
    if (options.binding !== true) this.#validate(kind, object, old);
    if (!applied) object = this.#trackChange(kind, object, old, options);
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

  #trackChange(kind: Kind, object: JsonObject, old: JsonObject, options: WriteOptions): JsonObject {
    const entries = metaOf(object).managedFields ?? [];
    // A client may reset or rewrite the list itself (kubectl does, when it moves from client-side to server-side apply).
    const reset = entries.length === 1 && Object.keys(entries[0] ?? {}).length === 0;
    if (reset) return withAt(object, ['metadata', 'managedFields'], undefined);
    const base = withAt(
      object,
      ['metadata', 'managedFields'],
      entries.length === 0 ? undefined : (entries as unknown as Json),
    );
    return trackUpdate(base, old, kind, {
      manager: options.manager,
      subresource: options.subresource,
      time: this.time(),
    });
  }

  #validate(kind: Kind, object: JsonObject, old: JsonObject | undefined): void {
    const { resource } = kind;
    const meta = metaOf(object);
    const errors = [
      ...(old === undefined
        ? validateMetadata(meta, kind.nameRule, resource.namespaced)
        : validateMetadata(meta, () => [], resource.namespaced)),
      ...(kind.validate?.(object) ?? []),
      ...(old === undefined ? [] : (kind.validateUpdate?.(object, old) ?? [])),
    ];
    if (errors.length > 0) throw invalid(resource, meta.name ?? '', errors);
  }

  #terminating(object: JsonObject, kind: Kind, grace: number, finalizers: readonly string[]): JsonObject {
    const meta = metaOf(object);
    const now = this.#context.clock.now();
    const already = meta.deletionTimestamp !== undefined;
    // A second delete can only shorten the time.
    const shorter = !already || grace < (meta.deletionGracePeriodSeconds ?? 0);
    const next = withMeta(object, {
      ...meta,
      ...(finalizers.length > 0 && { finalizers }),
      ...(shorter && {
        deletionTimestamp: formatTime(now + grace * 1000),
        deletionGracePeriodSeconds: grace,
      }),
      ...(kind.hasGeneration === true && !already && { generation: (meta.generation ?? 0) + 1 }),
    });
    return namespaceFinalizers(object).length > 0 ? withAt(next, ['status', 'phase'], 'Terminating') : next;
  }

  #checkNamespace(meta: ObjectMeta, namespace: string | undefined): void {
    if (meta.namespace !== undefined && meta.namespace !== '' && meta.namespace !== namespace)
      throw badRequest(
        `the namespace of the provided object does not match the namespace sent on the request`,
      );
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

  #keep(items: readonly JsonObject[]): string {
    const id = String(++this.#snapshotCount);
    this.#snapshots.set(id, { version: this.store.version, items });
    const oldest = this.#snapshots.keys().next();
    if (this.#snapshots.size > MAX_SNAPSHOTS && !oldest.done) this.#snapshots.delete(oldest.value);
    return id;
  }

  #page(token: string, limit: number | undefined): ListResult {
    const [id = '', offset = ''] = Buffer.from(token, 'base64url').toString().split(':');
    if (!/^\d+$/.test(id) || !/^\d+$/.test(offset)) throw badRequest('continue key is not valid');
    const snapshot = this.#snapshots.get(id);
    if (snapshot === undefined)
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
      );
    return this.#cut(snapshot, Number(offset), limit ?? 0, id);
  }

  #cut(
    { version, items }: { readonly version: number; readonly items: readonly JsonObject[] },
    offset: number,
    limit: number,
    id: string,
  ): ListResult {
    const end = limit > 0 ? offset + limit : items.length;
    const page = { items: items.slice(offset, end), resourceVersion: String(version) };
    if (end >= items.length) return page;
    return {
      ...page,
      continue: Buffer.from(`${id}:${end}`).toString('base64url'),
      remaining: items.length - end,
    };
  }

  /** Now, as the API writes it. */
  time(): string {
    return formatTime(this.#context.clock.now());
  }
}
