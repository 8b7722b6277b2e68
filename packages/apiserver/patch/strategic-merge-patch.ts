import { deepEqual, isObject, type Json, type JsonObject, type MergeRule, mergeRule } from '#kube-api';
import { definitionSchema, fieldSchema, type ResolvedSchema, resolve } from '../registry/schema-walk.ts';
import { badRequest } from '../status.ts';

const DELETE_FROM_LIST = '$deleteFromPrimitiveList/';
const SET_ORDER = '$setElementOrder/';

/**
 * Applies a strategic merge patch: a merge patch whose lists merge by key where the schema says so, with the directives
 * `$patch: replace|delete`, `$deleteFromPrimitiveList/F`, `$setElementOrder/F` and `$retainKeys`.
 * Source: apimachinery util/strategicpatch. @throws StatusError 400
 */
export function applyStrategicMergePatch(
  document: JsonObject,
  patch: unknown,
  definition: string,
): JsonObject {
  if (!isObject(patch)) throw badRequest('a strategic merge patch must be an object');
  return mergeObject(document, patch, definitionSchema(definition));
}

function mergeObject(
  document: JsonObject,
  patch: JsonObject,
  schema: ResolvedSchema | undefined,
): JsonObject {
  const directive = patch['$patch'];
  if (directive === 'replace') return withoutDirectives(patch);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`Unknown patch type found: ${JSON.stringify(directive)}`);
  const merged = new Map<string, Json | undefined>(Object.entries(document));
  const retain = patch['$retainKeys'];
  if (Array.isArray(retain)) for (const key of merged.keys()) if (!retain.includes(key)) merged.delete(key);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    if (value === null || value === undefined) {
      merged.delete(key);
      continue;
    }
    const child = schema === undefined ? undefined : fieldSchema(schema, key);
    const rule = schema?.definition === undefined ? undefined : mergeRule(schema.definition, key);
    const current = merged.get(key);
    if (Array.isArray(value))
      merged.set(key, mergeList(Array.isArray(current) ? current : [], value, rule, child));
    else if (isObject(value)) merged.set(key, mergeObject(isObject(current) ? current : {}, value, child));
    else merged.set(key, value);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (!Array.isArray(value)) continue;
    if (key.startsWith(DELETE_FROM_LIST)) {
      const field = key.slice(DELETE_FROM_LIST.length);
      const current = merged.get(field);
      if (Array.isArray(current))
        merged.set(
          field,
          current.filter((item) => !value.some((removed) => deepEqual(item, removed))),
        );
    } else if (key.startsWith(SET_ORDER)) {
      const field = key.slice(SET_ORDER.length);
      const current = merged.get(field);
      const rule = schema?.definition === undefined ? undefined : mergeRule(schema.definition, field);
      if (Array.isArray(current)) merged.set(field, ordered(current, value, rule?.patchKey));
    }
  }
  return Object.fromEntries(merged);
}

function mergeList(
  document: readonly Json[],
  patch: readonly Json[],
  rule: MergeRule | undefined,
  schema: ResolvedSchema | undefined,
): readonly Json[] {
  const merges = rule?.patchStrategy?.includes('merge') === true;
  const replace = patch.some((item) => isObject(item) && item['$patch'] === 'replace');
  if (!merges || replace)
    return patch
      .filter((item) => !(isObject(item) && item['$patch'] === 'replace' && Object.keys(item).length === 1))
      .map((item) => (isObject(item) ? withoutDirectives(item) : item));
  const { patchKey } = rule;
  if (patchKey === undefined)
    return [...document, ...patch.filter((item) => !document.some((known) => deepEqual(known, item)))];
  const items = schema?.items === undefined ? undefined : resolve(schema.items);
  const result = [...document];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`the patch of a list merged by ${patchKey} must have objects`);
    const id = item[patchKey];
    if (id === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${patchKey}`);
    const index = result.findIndex((known) => isObject(known) && deepEqual(known[patchKey], id));
    const known = result[index];
    if (item['$patch'] === 'delete') {
      if (index >= 0) result.splice(index, 1);
    } else if (isObject(known)) result[index] = mergeObject(known, item, items);
    else result.push(mergeObject({}, item, items));
  }
  return result;
}

/** Listed items in the given order; items the order does not know stay behind their old neighbours. */
function ordered(list: readonly Json[], order: readonly Json[], key: string | undefined): readonly Json[] {
  const id = (item: Json): Json | undefined => (key !== undefined && isObject(item) ? item[key] : item);
  const rank = (item: Json) => order.findIndex((wanted) => deepEqual(id(wanted), id(item)));
  const known = list.filter((item) => rank(item) >= 0).toSorted((a, b) => rank(a) - rank(b));
  const result = [...known];
  for (const [i, item] of list.entries()) {
    if (rank(item) >= 0) continue;
    const before = list.slice(0, i).findLast((other) => result.includes(other));
    result.splice(before === undefined ? 0 : result.indexOf(before) + 1, 0, item);
  }
  return result;
}

function withoutDirectives(value: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, child]) => !key.startsWith('$') && child !== null)
      .map(([key, child]) => [key, isObject(child) ? withoutDirectives(child) : child]),
  );
}
