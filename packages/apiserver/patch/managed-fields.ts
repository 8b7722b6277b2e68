import {
  apiVersionOf,
  asObject,
  deepEqual,
  isObject,
  type Json,
  type JsonObject,
  type ManagedFieldsEntry,
  withAt,
} from '#kube-api';
import type { Kind } from '../registry/kind.ts';
import { definitionSchema } from '../registry/schema-walk.ts';
import { type Fields, fieldsOf, fromFieldsV1, toFieldsV1 } from './field-set.ts';

/** Who wrote something, and when. */
export interface Writer {
  readonly manager: string;
  readonly subresource?: string | undefined;
  /** RFC 3339. */
  readonly time: string;
}

/** One manager's fields, as paths. */
export interface Owner {
  readonly entry: ManagedFieldsEntry;
  readonly paths: ReadonlySet<string>;
}

const SYSTEM_METADATA = new Set([
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'generation',
  'managedFields',
  'name',
  'namespace',
  'resourceVersion',
  'selfLink',
  'uid',
]);

/** The fields of an object that managers can own. */
export function ownableFields(object: JsonObject, kind: Kind): Fields {
  const { apiVersion: _version, kind: _kind, metadata, ...rest } = object;
  const ownMetadata = Object.entries(asObject(metadata)).filter(([key]) => !SYSTEM_METADATA.has(key));
  return fieldsOf(
    { ...rest, ...(ownMetadata.length > 0 && { metadata: Object.fromEntries(ownMetadata) }) },
    definitionSchema(kind.definition),
  );
}

export function readOwners(object: JsonObject): readonly Owner[] {
  const entries = asObject(object['metadata'])['managedFields'];
  if (!Array.isArray(entries)) return [];
  return entries
    .filter((entry) => isObject(entry) && typeof entry['operation'] === 'string')
    .map((entry) => ({
      entry: entry as ManagedFieldsEntry,
      paths: fromFieldsV1(asObject(entry)['fieldsV1']),
    }));
}

export function writeOwners(object: JsonObject, owners: readonly Owner[]): JsonObject {
  const entries = owners
    .filter(({ paths }) => paths.size > 0)
    .map(({ entry, paths }) => ({ ...entry, fieldsType: 'FieldsV1', fieldsV1: toFieldsV1(paths) }));
  return withAt(
    object,
    ['metadata', 'managedFields'],
    entries.length === 0 ? undefined : (entries as unknown as Json),
  );
}

/** Gives the fields that changed between `old` and `object` to the writer, and takes them and the removed ones from others. */
export function trackUpdate(
  object: JsonObject,
  old: JsonObject | undefined,
  kind: Kind,
  writer: Writer,
): JsonObject {
  const now = ownableFields(object, kind);
  const before = old === undefined ? new Map<string, Json>() : ownableFields(old, kind);
  const changed = new Set<string>();
  for (const [path, value] of now)
    if (!before.has(path) || !deepEqual(before.get(path), value)) changed.add(path);
  const owners = readOwners(object);
  const removed = [...before.keys()].some((path) => !now.has(path));
  if (changed.size === 0 && !removed) return object;
  const isWriter = ({ entry }: Owner) =>
    entry.manager === writer.manager &&
    entry.operation === 'Update' &&
    (entry.subresource ?? '') === (writer.subresource ?? '');
  const kept = owners.map((owner): Owner => {
    if (isWriter(owner)) return owner;
    return {
      ...owner,
      paths: new Set([...owner.paths].filter((path) => now.has(path) && !changed.has(path))),
    };
  });
  if (changed.size === 0)
    return writeOwners(
      object,
      kept.map((owner) => ({ ...owner, paths: new Set([...owner.paths].filter((path) => now.has(path))) })),
    );
  const own = owners.find(isWriter);
  const paths = new Set([...(own?.paths ?? []), ...changed].filter((path) => now.has(path)));
  return writeOwners(object, [
    ...kept.filter((owner) => !isWriter(owner)),
    { entry: ownerEntry(kind, writer, 'Update'), paths },
  ]);
}

export function ownerEntry(kind: Kind, writer: Writer, operation: 'Apply' | 'Update'): ManagedFieldsEntry {
  return {
    manager: writer.manager,
    operation,
    apiVersion: apiVersionOf(kind.resource),
    time: writer.time,
    ...(writer.subresource !== undefined && { subresource: writer.subresource }),
  };
}
