import { ATOMIC_OBJECTS, deepEqual, isObject, type Json, type JsonObject, mergeRule } from '#kube-api';
import type { Kind } from '../registry/kind.ts';
import { definitionSchema, fieldSchema, type ResolvedSchema, resolve } from '../registry/schema-walk.ts';
import { StatusError } from '../status.ts';
import { formatPath, listItemKey, SEPARATOR } from './field-set.ts';
import {
  type Owner,
  ownableFields,
  ownerEntry,
  readOwners,
  type Writer,
  writeOwners,
} from './managed-fields.ts';

/**
 * Server-side apply: merges `applied` into `live`, removes what this manager applied before and no longer names (unless
 * another one owns it), and records the owner. Fields of others with another value are conflicts unless `force`.
 * Source: KEP-555. @throws StatusError 409
 */
export function applyConfiguration(
  live: JsonObject | undefined,
  applied: JsonObject,
  kind: Kind,
  writer: Writer,
  force: boolean,
): JsonObject {
  const schema = definitionSchema(kind.definition);
  const wanted = ownableFields(applied, kind);
  const current = live === undefined ? new Map<string, Json>() : ownableFields(live, kind);
  const owners = live === undefined ? [] : readOwners(live);
  const isSelf = ({ entry }: Owner) =>
    entry.manager === writer.manager &&
    entry.operation === 'Apply' &&
    (entry.subresource ?? '') === (writer.subresource ?? '');
  const others = owners.filter((owner) => !isSelf(owner));
  const differing = new Set(
    [...wanted]
      .filter(([path, value]) => current.has(path) && !deepEqual(current.get(path), value))
      .map(([path]) => path),
  );
  if (!force) failOnConflicts(others, differing);
  const ownedByOthers = new Set(others.flatMap(({ paths }) => [...paths]));
  const dropped = [...(owners.find(isSelf)?.paths ?? [])].filter(
    (path) => !wanted.has(path) && !ownedByOthers.has(path),
  );
  const pruned = live === undefined ? {} : dropPaths(live, schema, new Set(dropped), '');
  const merged = merge(pruned, applied, schema);
  return writeOwners(merged, [
    ...others.map((owner) => ({
      ...owner,
      paths: new Set([...owner.paths].filter((path) => !differing.has(path))),
    })),
    { entry: ownerEntry(kind, writer, 'Apply'), paths: new Set(wanted.keys()) },
  ]);
}

function failOnConflicts(others: readonly Owner[], differing: ReadonlySet<string>): void {
  const causes = others.flatMap(({ entry, paths }) =>
    [...paths]
      .filter((path) => differing.has(path))
      .map((path) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${JSON.stringify(entry.manager)} using ${entry.apiVersion}`,
        field: formatPath(path),
      })),
  );
  if (causes.length === 0) return;
  const [first] = causes;
  throw new StatusError(
    409,
    'Conflict',
    causes.length === 1
      ? `Apply failed with 1 conflict: ${first?.message}: ${first?.field}`
      : `Apply failed with ${causes.length} conflicts: ${causes.map(({ message, field }) => `${message}: ${field}`).join(', ')}`,
    { causes },
  );
}

function merge(live: JsonObject, applied: JsonObject, schema: ResolvedSchema | undefined): JsonObject {
  const result = new Map<string, Json | undefined>(Object.entries(live));
  for (const [key, value] of Object.entries(applied)) {
    if (value === undefined) continue;
    const child = schema === undefined ? undefined : fieldSchema(schema, key);
    const rule = schema?.definition === undefined ? undefined : mergeRule(schema.definition, key);
    const current = result.get(key);
    const atomic = child?.definition !== undefined && ATOMIC_OBJECTS.has(child.definition);
    if (isObject(value) && isObject(current) && !atomic) result.set(key, merge(current, value, child));
    else if (Array.isArray(value) && Array.isArray(current) && rule?.listType === 'map')
      result.set(key, mergeItems(current, value, rule.keys ?? [], child));
    else if (Array.isArray(value) && Array.isArray(current) && rule?.listType === 'set')
      result.set(key, [...current, ...value.filter((item) => !current.includes(item))]);
    else result.set(key, value);
  }
  return Object.fromEntries(result);
}

function mergeItems(
  live: readonly Json[],
  applied: readonly Json[],
  keys: readonly string[],
  schema: ResolvedSchema | undefined,
): readonly Json[] {
  const items = schema?.items === undefined ? undefined : resolve(schema.items);
  const result = [...live];
  for (const item of applied) {
    const id = listItemKey(item, keys);
    const index = result.findIndex((known) => listItemKey(known, keys) === id);
    const known = result[index];
    if (isObject(known) && isObject(item)) result[index] = merge(known, item, items);
    else result.push(item);
  }
  return result;
}

/** `value` without the dropped paths. A list item goes when its own path is dropped, with all its fields. */
function dropPaths(
  value: JsonObject,
  schema: ResolvedSchema | undefined,
  dropped: ReadonlySet<string>,
  path: string,
): JsonObject {
  if (dropped.size === 0) return value;
  const result: [string, Json][] = [];
  for (const [key, child] of Object.entries(value)) {
    if (child === undefined) continue;
    const childPath = path === '' ? `f:${key}` : `${path}${SEPARATOR}f:${key}`;
    if (dropped.has(childPath)) continue;
    const childSchema = schema === undefined ? undefined : fieldSchema(schema, key);
    const rule = schema?.definition === undefined ? undefined : mergeRule(schema.definition, key);
    if (Array.isArray(child) && (rule?.listType === 'map' || rule?.listType === 'set')) {
      const items = childSchema?.items === undefined ? undefined : resolve(childSchema.items);
      const kept = (child as readonly Json[]).flatMap((item): readonly Json[] => {
        const element =
          rule.listType === 'map' ? listItemKey(item, rule.keys ?? []) : `v:${JSON.stringify(item)}`;
        const itemPath = `${childPath}${SEPARATOR}${element}`;
        if (dropped.has(itemPath)) return [];
        return isObject(item) ? [dropPaths(item, items, dropped, itemPath)] : [item];
      });
      if (kept.length > 0) result.push([key, kept]);
    } else if (isObject(child)) {
      const rest = dropPaths(child, childSchema, dropped, childPath);
      if (Object.keys(rest).length > 0 || Object.keys(child).length === 0) result.push([key, rest]);
    } else result.push([key, child]);
  }
  return Object.fromEntries(result);
}
