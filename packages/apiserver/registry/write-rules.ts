import type { ObjectMeta } from '#kube-api';
import { asObject, at, type Json, type JsonObject, withAt } from '#kube-api';
import type { Kind, PartSubresource } from './kind.ts';
import { metaOf } from './metadata.ts';

export function hasStatus(kind: Kind): boolean {
  return kind.subresources?.includes('status') === true;
}

const FIXED: readonly (keyof ObjectMeta)[] = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'generation',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'resourceVersion',
];

/** The metadata that no update changes. */
export function fixedMeta(old: ObjectMeta): ObjectMeta {
  return Object.fromEntries(FIXED.map((field) => [field, old[field]])) as ObjectMeta;
}

/** Of the metadata, a write to a subresource may change labels, annotations and finalizers. */
export function statusMeta({ labels, annotations, finalizers }: ObjectMeta, old: ObjectMeta): ObjectMeta {
  return { ...old, labels, annotations, finalizers } as ObjectMeta;
}

/** A main write keeps the old status, a status write everything but the status. */
export function mergeParts(
  kind: Kind,
  given: JsonObject,
  old: JsonObject,
  subresource: PartSubresource | undefined,
): JsonObject {
  switch (subresource) {
    case 'status':
      return withAt({ ...old, metadata: given['metadata'] ?? {} }, ['status'], given['status']);
    case 'finalize':
      return withAt(
        { ...old, metadata: given['metadata'] ?? {} },
        ['spec', 'finalizers'],
        at(given, 'spec', 'finalizers'),
      );
    case 'ephemeralcontainers':
      return withAt(
        { ...old, metadata: given['metadata'] ?? {} },
        ['spec', 'ephemeralContainers'],
        at(given, 'spec', 'ephemeralContainers'),
      );
    case undefined:
      return hasStatus(kind) ? withAt(given, ['status'], old['status']) : given;
    default:
      return subresource satisfies never;
  }
}

export function withoutMetaAndStatus({
  metadata: _metadata,
  status: _status,
  ...rest
}: JsonObject): JsonObject {
  return rest;
}

/** For finding writes that change nothing: managedFields' times do not count. */
export function withoutTimes(object: JsonObject): JsonObject {
  const entries = asObject(object['metadata'])['managedFields'];
  if (!Array.isArray(entries)) return object;
  return withAt(
    object,
    ['metadata', 'managedFields'],
    (entries as readonly Json[]).map((entry): Json => {
      const { time: _time, ...rest } = asObject(entry);
      return rest;
    }),
  );
}

export function namespaceFinalizers(object: JsonObject): readonly Json[] {
  const finalizers = object['kind'] === 'Namespace' ? at(object, 'spec', 'finalizers') : undefined;
  return Array.isArray(finalizers) ? finalizers : [];
}

/** Being deleted, and nothing holds it any more. */
export function isFinished(object: JsonObject): boolean {
  const meta = metaOf(object);
  return (
    meta.deletionTimestamp !== undefined &&
    (meta.finalizers ?? []).length === 0 &&
    (meta.deletionGracePeriodSeconds ?? 0) === 0 &&
    namespaceFinalizers(object).length === 0
  );
}

export function withPropagation(
  finalizers: readonly string[],
  policy: string | undefined,
): readonly string[] {
  const others = finalizers.filter((name) => name !== 'orphan' && name !== 'foregroundDeletion');
  switch (policy) {
    case 'Orphan':
      return [...others, 'orphan'];
    case 'Foreground':
      return [...others, 'foregroundDeletion'];
    case 'Background':
      return others;
    default:
      return finalizers;
  }
}
