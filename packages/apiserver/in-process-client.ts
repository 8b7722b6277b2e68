import type { JsonObject, Resource } from '#kube-api';
import { applyJsonPatch, applyMergePatch } from '#kube-api';
import {
  ApiError,
  type FailureStatus,
  type KubeClient,
  type WatchEvent,
  type WatchOptions,
} from '#kube-client';
import type { TokenSigner } from './auth/tokens.ts';
import { applyStrategicMergePatch } from './patch/strategic-merge-patch.ts';
import { bindPod, evictPod, issueToken } from './registry/actions.ts';
import type { Kind } from './registry/kind.ts';
import { metaOf } from './registry/metadata.ts';
import type { Registry } from './registry/registry.ts';
import type { Target, WriteOptions } from './registry/requests.ts';
import { badRequest, toStatus } from './status.ts';

export interface InProcessClientOptions {
  /** The field manager of its writes. */
  readonly manager?: string;
}

/** The parts of a server that requests without HTTP need. */
export interface ServedObjects {
  readonly registry: Registry;
  readonly tokens: TokenSigner;
  /** The kind served for a resource. @throws StatusError 404 */
  kindOf(resource: Resource<unknown>): Kind;
}

const MAX_QUEUED = 100_000;

/** The KubeClient port over the registry, without HTTP: for controllers inside the server. Same failures, same order of events. */
export function inProcessClient(
  { registry, kindOf, tokens }: ServedObjects,
  { manager = 'kube-controller-manager' }: InProcessClientOptions = {},
): KubeClient {
  const target = (
    resource: Resource<unknown>,
    { namespace, name = '' }: { readonly namespace?: string; readonly name?: string },
  ): Target => ({
    kind: kindOf(resource),
    namespace: resource.namespaced ? namespace : undefined,
    name,
  });
  const options: WriteOptions = { manager };
  return {
    list: <T>(resource: Resource<T>, query = {}) =>
      answer(() => {
        const { items, resourceVersion } = registry.list(kindOf(resource), query);
        return { items: items as unknown as readonly T[], resourceVersion };
      }),
    get: <T>(resource: Resource<T>, name: { readonly namespace?: string; readonly name: string }) =>
      answer(() => registry.get(target(resource, name)) as unknown as T),
    create: <T>(resource: Resource<T>, object: T) =>
      answer(() => {
        const { namespace } = metaOf(object as JsonObject);
        return registry.create(kindOf(resource), resource.namespaced ? namespace : undefined, object, options)
          .object as unknown as T;
      }),
    update: <T>(resource: Resource<T>, object: T, subresource?: 'status') =>
      answer(
        () =>
          registry.update(target(resource, metaOf(object as JsonObject)), object, { ...options, subresource })
            .object as unknown as T,
      ),
    patch: (resource, name, type, body, subresource) =>
      answer(() => {
        const where = target(resource, name);
        if (subresource === 'scale') throw badRequest('scale cannot be patched inside the process');
        const writing = { ...options, subresource };
        const patch = (change: (current: JsonObject) => unknown) =>
          registry.patch(where, change, writing).object as unknown as never;
        switch (type) {
          case 'json':
            return patch((current) => applyJsonPatch(current, body));
          case 'merge':
            return patch((current) => applyMergePatch(current, body as JsonObject));
          case 'strategic-merge':
            return patch((current) => applyStrategicMergePatch(current, body, where.kind.definition));
          case 'apply':
            return registry.apply(where, body, { ...writing, force: true }).object as unknown as never;
          default:
            return type satisfies never;
        }
      }),
    delete: (resource, name, request = {}) =>
      answer(() => void registry.delete(target(resource, name), request)),
    post: (resource, name, action, body) =>
      answer(() => {
        const where = target(resource, name);
        switch (action) {
          case 'binding':
            return bindPod(registry, where, body, options);
          case 'eviction':
            return evictPod(registry, where, {});
          case 'token':
            return issueToken(registry, tokens, where, body);
          default:
            return action satisfies never;
        }
      }),
    watch: (resource, query) => watch({ registry, kindOf }, resource, query),
  };
}

/** Runs now; what the registry throws is what an HTTP client would have thrown. */
async function answer<T>(run: () => T): Promise<T> {
  try {
    return run();
  } catch (error) {
    const status = toStatus(error);
    throw new ApiError(status.code, status as FailureStatus);
  }
}

async function* watch<T>(
  { registry, kindOf }: Pick<ServedObjects, 'registry' | 'kindOf'>,
  resource: Resource<T>,
  { signal, ...query }: WatchOptions,
): AsyncGenerator<WatchEvent<T>, void, void> {
  const queue: WatchEvent<T>[] = [];
  let wake: (() => void) | undefined;
  const onAbort = () => wake?.();
  using _subscription = await answer(() =>
    registry.watch(kindOf(resource), query, {
      item({ type, object }) {
        queue.push({ type, object: object as unknown as T });
        wake?.();
      },
      initialEnd() {},
    }),
  );
  signal.addEventListener('abort', onAbort);
  try {
    while (!signal.aborted) {
      if (queue.length > MAX_QUEUED)
        throw new ApiError(410, { reason: 'Expired', message: 'the watcher fell behind' });
      const event = queue.shift();
      if (event !== undefined) yield event;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (signal.aborted) resolve();
        });
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
