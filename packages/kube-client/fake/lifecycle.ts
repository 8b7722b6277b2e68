import { randomUUID } from 'node:crypto';
import { apiVersionOf, deepEqual, formatTime, isObject, type Resource } from '#kube-api';
import type { DeleteOptions } from '../ports.ts';
import type { FakeMetadata, FakeObject } from './store.ts';

/** Kinds with a status subresource: their status is written through it alone. */
export const HAS_STATUS: ReadonlySet<string> = new Set([
  'Pod',
  'Node',
  'Namespace',
  'Service',
  'Deployment',
  'ReplicaSet',
]);

/** What the server makes of a new object. `now`: milliseconds since the epoch. */
export function initial(resource: Resource<unknown>, given: unknown, name: string, now: number): FakeObject {
  const { metadata, status, ...rest } = given as FakeObject;
  const { deletionTimestamp: _, ...kept } = metadata;
  const object: FakeObject = {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    ...rest,
    metadata: {
      ...kept,
      name,
      uid: randomUUID(),
      resourceVersion: '',
      creationTimestamp: formatTime(now),
      ...(rest['spec'] === undefined ? {} : { generation: 1 }),
    },
  };
  if (resource.kind === 'Namespace')
    return { ...object, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } };
  if (resource.kind === 'Pod') return { ...object, status: { phase: 'Pending' } };
  // A kubelet registers its Node with a status; of all others the status is the controllers' to say.
  const keeps = resource.kind === 'Node' || !HAS_STATUS.has(resource.kind);
  return keeps && status !== undefined ? { ...object, status } : object;
}

/** What a PUT of `given` makes of `held`. */
export function updated(
  resource: Resource<unknown>,
  held: FakeObject,
  given: FakeObject,
  subresource: 'status' | 'finalize' | undefined,
): FakeObject {
  switch (subresource) {
    case 'status':
      return withField(held, 'status', given['status']);
    case 'finalize':
      return withField(held, 'spec', given['spec']);
    case undefined: {
      const changed = !deepEqual(held['spec'], given['spec']);
      const { generation, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, uid, name } =
        held.metadata;
      const metadata = defined({
        ...given.metadata,
        name,
        uid,
        resourceVersion: held.metadata.resourceVersion,
        creationTimestamp,
        deletionTimestamp,
        deletionGracePeriodSeconds,
        generation: generation === undefined ? undefined : generation + (changed ? 1 : 0),
      });
      const object = { ...held, ...given, metadata };
      return HAS_STATUS.has(resource.kind) ? withField(object, 'status', held['status']) : object;
    }
  }
}

/** What a DELETE makes of `held`; it goes once it has neither grace nor finalizers left. */
export function deletion(
  resource: Resource<unknown>,
  held: FakeObject,
  options: DeleteOptions,
  now: number,
): FakeObject {
  const grace = graceSeconds(resource, held, options);
  const finalizers = withPropagation(held.metadata.finalizers ?? [], options.propagationPolicy);
  const object = {
    ...held,
    metadata: defined({
      ...held.metadata,
      deletionTimestamp: held.metadata.deletionTimestamp ?? formatTime(now + grace * 1000),
      deletionGracePeriodSeconds: Math.min(grace, held.metadata.deletionGracePeriodSeconds ?? grace),
      finalizers: finalizers.length > 0 ? finalizers : undefined,
    }),
  };
  return resource.kind === 'Namespace' ? { ...object, status: { phase: 'Terminating' } } : object;
}

function withPropagation(
  finalizers: readonly string[],
  policy: DeleteOptions['propagationPolicy'],
): readonly string[] {
  const wanted = policy === 'Foreground' ? 'foregroundDeletion' : policy === 'Orphan' ? 'orphan' : undefined;
  return wanted === undefined || finalizers.includes(wanted) ? finalizers : [...finalizers, wanted];
}

/** Only a Pod that a kubelet may have started gets time to end. */
function graceSeconds(resource: Resource<unknown>, held: FakeObject, options: DeleteOptions): number {
  const spec = held['spec'];
  if (resource.kind !== 'Pod' || !isObject(spec) || !spec['nodeName']) return 0;
  const own = spec['terminationGracePeriodSeconds'];
  return options.gracePeriodSeconds ?? (typeof own === 'number' ? own : 30);
}

function withField(object: FakeObject, field: string, value: unknown): FakeObject {
  const { [field]: _, ...others } = object;
  return (value === undefined ? others : { ...others, [field]: value }) as FakeObject;
}

function defined(
  metadata: { readonly [K in keyof FakeMetadata]: FakeMetadata[K] | undefined },
): FakeMetadata {
  return Object.fromEntries(
    Object.entries(metadata).filter(([, value]) => value !== undefined),
  ) as FakeMetadata;
}
