import {
  applyJsonPatch,
  applyMergePatch,
  isObject,
  type Json,
  type JsonObject,
  NAMESPACES,
  nameKey,
  type Resource,
} from '#kube-api';
import { type Clock, systemClock } from '#runtime';
import { ApiError, ApiUnreachableError } from '../errors.ts';
import { metadataOf } from '../metadata.ts';
import { objectPath, requireNamespace } from '../paths.ts';
import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectList,
  ObjectName,
  PatchType,
  WatchEvent,
  WatchOptions,
} from '../ports.ts';
import {
  alreadyExists,
  conflict,
  invalid,
  namespaceTerminating,
  notFound,
  withPatchFailures,
} from './failures.ts';
import { deletion, HAS_STATUS, initial, updated } from './lifecycle.ts';
import { type FakeObject, FakeStore } from './store.ts';
import { FakeWatches } from './watches.ts';

/**
 * An API server in memory, for tests: versions, uids, conflicts, generations, the status subresource, finalizers,
 * graceful deletion, selectors and watches as the real one has them. It validates no fields, fills in no defaults and
 * knows no strategic-merge or apply patches (415). The namespaces `default` and `kube-system` exist.
 */
export class FakeKubeClient implements KubeClient {
  readonly #store = new FakeStore();
  readonly #clock: Clock;
  readonly #watches = new FakeWatches();
  #away = false;
  #names = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    for (const name of ['default', 'kube-system'])
      this.#store.put('/namespaces', initial(NAMESPACES, { metadata: { name } }, name, clock.now()));
  }

  /** Ends all watches, as a server does that is about to restart; with an error, as a cut connection does. */
  cutWatches(error?: Error): void {
    this.#watches.endAll(error);
  }

  /** Forgets history: a watch from before gets 410. */
  compact(): void {
    this.#store.compact();
  }

  /** While the server is away, every call fails with ApiUnreachableError and no watch runs. */
  setAway(away: boolean): void {
    this.#away = away;
    if (away) this.cutWatches(new ApiUnreachableError('the fake API server is away'));
  }

  /** Sends a bookmark to every watch. */
  bookmark(): void {
    this.#watches.bookmarkAll(this.#store.version);
  }

  async list<T>(resource: Resource<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    this.#reach();
    const items = this.#store.list(collectionOf(resource), options) as unknown as readonly T[];
    return { items, resourceVersion: this.#store.version };
  }

  async get<T>(resource: Resource<T>, name: ObjectName): Promise<T> {
    this.#reach();
    return this.#find(resource, name) as unknown as T;
  }

  async create<T>(resource: Resource<T>, object: T): Promise<T> {
    this.#reach();
    const given = clone(object);
    const { namespace, name } = metadataOf(given);
    requireNamespace(resource, namespace);
    const generated = given.metadata['generateName'];
    const wanted = name || (typeof generated === 'string' ? `${generated}${this.#suffix()}` : '');
    if (wanted === '')
      throw invalid(resource, 'metadata.name', 'Required value: name or generateName is required');
    this.#requireLiveNamespace(resource, namespace);
    if (this.#store.get(collectionOf(resource), nameKey(namespace, wanted)))
      throw alreadyExists(resource, wanted);
    const made = initial(resource, given, wanted, this.#clock.now());
    return this.#store.put(collectionOf(resource), made) as unknown as T;
  }

  async update<T>(resource: Resource<T>, object: T, subresource?: 'status' | 'finalize'): Promise<T> {
    this.#reach();
    const given = clone(object);
    return this.#write(resource, metadataOf(given), given, subresource);
  }

  async patch<T>(
    resource: Resource<T>,
    name: ObjectName,
    type: PatchType,
    body: unknown,
    subresource?: 'status' | 'scale',
  ): Promise<T> {
    this.#reach();
    const held = this.#find(resource, name);
    const patched = clone(withPatchFailures(() => applyPatch(type, held, clone(body))));
    const { uid } = patched.metadata;
    if (uid && uid !== held.metadata.uid) throw invalid(resource, 'metadata.uid', 'field is immutable');
    return this.#write(resource, name, patched, subresource === 'status' ? 'status' : undefined);
  }

  async delete<T>(resource: Resource<T>, name: ObjectName, options: DeleteOptions = {}): Promise<void> {
    this.#reach();
    const held = this.#find(resource, name);
    const { uid, resourceVersion } = options.preconditions ?? {};
    if (uid !== undefined && uid !== held.metadata.uid)
      throw conflict(resource, name, `the UID in the precondition (${uid}) does not match the UID in record`);
    if (resourceVersion !== undefined && resourceVersion !== held.metadata.resourceVersion)
      throw conflict(resource, name, 'the ResourceVersion in the precondition does not match');
    this.#settle(resource, deletion(resource, held, options, this.#clock.now()));
  }

  async post<T>(
    resource: Resource<T>,
    name: ObjectName,
    subresource: 'binding' | 'eviction' | 'token',
    body: unknown,
  ): Promise<unknown> {
    this.#reach();
    const held = this.#find(resource, name);
    switch (subresource) {
      case 'binding':
        return this.#bind(resource, name, held, body);
      case 'eviction':
        await this.delete(resource, name);
        return SUCCESS;
      case 'token':
        return { kind: 'TokenRequest', status: { token: `fake-${held.metadata.uid}` } };
    }
  }

  async *watch<T>(resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>, void> {
    this.#reach();
    const collection = collectionOf(resource);
    yield* this.#watches.run<T>(
      (push) => this.#store.watch<T>(collection, options, options.resourceVersion, push),
      options.signal,
    );
  }

  #bind<T>(resource: Resource<T>, name: ObjectName, held: FakeObject, body: unknown): unknown {
    const spec = isObject(held['spec']) ? held['spec'] : {};
    const target = isObject(body) && isObject(body['target']) ? body['target']['name'] : undefined;
    if (spec['nodeName'])
      throw conflict(resource, name, `pod ${name.name} is already assigned to node "${spec['nodeName']}"`);
    this.#settle(resource, { ...held, spec: { ...spec, nodeName: target } });
    return SUCCESS;
  }

  #write<T>(
    resource: Resource<T>,
    name: ObjectName,
    given: FakeObject,
    subresource?: 'status' | 'finalize',
  ): T {
    const held = this.#find(resource, name);
    const { resourceVersion, uid } = given.metadata;
    if (uid && uid !== held.metadata.uid)
      throw conflict(resource, name, `Precondition failed: UID in precondition: ${uid}`);
    if (resourceVersion && resourceVersion !== held.metadata.resourceVersion)
      throw conflict(
        resource,
        name,
        'the object has been modified; please apply your changes to the latest version and try again',
      );
    if (subresource === 'status' && !HAS_STATUS.has(resource.kind)) throw notFound(resource, name);
    return this.#settle(resource, updated(resource, held, given, subresource)) as unknown as T;
  }

  /** Stores the object, or removes it when its deletion has nothing more to wait for. */
  #settle<T>(resource: Resource<T>, object: FakeObject): FakeObject {
    const {
      name,
      namespace,
      deletionTimestamp,
      deletionGracePeriodSeconds = 0,
      finalizers = [],
    } = object.metadata;
    const spec = object['spec'];
    const contents = resource.kind === 'Namespace' && isObject(spec) && spec['finalizers'];
    const held = finalizers.length > 0 || (Array.isArray(contents) && contents.length > 0);
    if (deletionTimestamp === undefined || deletionGracePeriodSeconds > 0 || held)
      return this.#store.put(collectionOf(resource), object);
    this.#store.remove(collectionOf(resource), nameKey(namespace, name));
    return object;
  }

  #find<T>(resource: Resource<T>, name: ObjectName): FakeObject {
    objectPath(resource, name);
    const found = this.#store.get(
      collectionOf(resource),
      nameKey(resource.namespaced ? name.namespace : undefined, name.name),
    );
    if (found === undefined) throw notFound(resource, name);
    return found;
  }

  #requireLiveNamespace<T>(resource: Resource<T>, namespace: string | undefined): void {
    if (!resource.namespaced || namespace === undefined) return;
    const held = this.#store.get('/namespaces', namespace);
    if (held === undefined) throw notFound(NAMESPACES, { name: namespace });
    if (held.metadata.deletionTimestamp !== undefined) throw namespaceTerminating(namespace);
  }

  #reach(): void {
    if (this.#away) throw new ApiUnreachableError('the fake API server is away');
  }

  #suffix(): string {
    return (this.#names++).toString(36).padStart(5, 'x');
  }
}

const SUCCESS = { kind: 'Status', apiVersion: 'v1', status: 'Success' };

const collectionOf = <T>({ group, plural }: Resource<T>): string => `${group}/${plural}`;

/** As over the wire: nothing shared, nothing undefined. */
function clone(object: unknown): FakeObject {
  return JSON.parse(JSON.stringify(object));
}

function applyPatch(type: PatchType, held: FakeObject, body: unknown): Json {
  switch (type) {
    case 'merge':
      return applyMergePatch(held as JsonObject, body as Json);
    case 'json':
      return applyJsonPatch(held as JsonObject, body);
    case 'strategic-merge':
    case 'apply':
      throw new ApiError(415, { message: `the fake API server knows no ${type} patches` });
  }
}
