import { ATOMIC_OBJECTS, isObject, type Json, type JsonObject, mergeRule } from '#kube-api';
import { fieldSchema, type ResolvedSchema, resolve } from '../registry/schema-walk.ts';

/**
 * Fields of an object, by path, with the value of each leaf. A path is FieldsV1 elements (`f:spec`, `k:{"name":"a"}`,
 * `v:"x"`) joined by {@link SEPARATOR}. Source: sigs.k8s.io/structured-merge-diff fieldpath.
 */
export type Fields = ReadonlyMap<string, Json>;
export const SEPARATOR = '\u0000';

/** The leaves of an object as server-side apply sees them, and the items of keyed lists. */
export function fieldsOf(object: JsonObject, schema: ResolvedSchema): Fields {
  const fields = new Map<string, Json>();
  collect(object, schema, '', fields);
  return fields;
}

function collect(
  value: Json,
  schema: ResolvedSchema | undefined,
  path: string,
  fields: Map<string, Json>,
): void {
  const child = (element: string) => (path === '' ? element : path + SEPARATOR + element);
  if (!isObject(value) || isAtomicObject(value, schema)) {
    fields.set(path, value);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const itemPath = child(`f:${key}`);
    const itemSchema = schema === undefined ? undefined : fieldSchema(schema, key);
    const rule = schema?.definition === undefined ? undefined : mergeRule(schema.definition, key);
    if (!Array.isArray(item)) {
      collect(item, itemSchema, itemPath, fields);
    } else if (rule?.listType === 'map') {
      const items = itemSchema?.items === undefined ? undefined : resolve(itemSchema.items);
      for (const element of item) {
        const elementPath = itemPath + SEPARATOR + listItemKey(element, rule.keys ?? []);
        fields.set(elementPath, null);
        if (isObject(element)) collect(element, items, elementPath, fields);
      }
    } else if (rule?.listType === 'set') {
      for (const element of item) fields.set(`${itemPath}${SEPARATOR}v:${JSON.stringify(element)}`, element);
    } else fields.set(itemPath, item);
  }
}

function isAtomicObject(value: JsonObject, schema: ResolvedSchema | undefined): boolean {
  return (
    Object.keys(value).length === 0 ||
    (schema?.properties === undefined && schema?.additionalProperties === undefined) ||
    (schema.definition !== undefined && ATOMIC_OBJECTS.has(schema.definition))
  );
}

/** `k:{…}` of an item of a keyed list; a port's protocol is TCP unless it says. */
export function listItemKey(item: Json, keys: readonly string[]): string {
  const entries = keys.toSorted().map((key): [string, Json] => {
    const value = isObject(item) ? item[key] : undefined;
    return [key, value ?? (key === 'protocol' ? 'TCP' : null)];
  });
  return `k:${JSON.stringify(Object.fromEntries(entries))}`;
}

/** Paths as a `fieldsV1` tree. */
export function toFieldsV1(paths: Iterable<string>): JsonObject {
  interface Tree {
    [element: string]: Tree;
  }
  const root: Tree = {};
  const ends: Tree[] = [];
  for (const path of [...paths].sort()) {
    let tree = root;
    for (const element of path.split(SEPARATOR)) {
      tree[element] ??= {};
      tree = tree[element];
    }
    ends.push(tree);
  }
  for (const end of ends) if (Object.keys(end).length > 0) end['.'] = {};
  return root;
}

/** The paths of a `fieldsV1` tree. What is not one has none. */
export function fromFieldsV1(tree: unknown): Set<string> {
  const paths = new Set<string>();
  const walk = (node: unknown, path: string) => {
    if (!isObject(node)) return;
    const elements = Object.keys(node);
    if (path !== '' && (elements.length === 0 || Object.hasOwn(node, '.'))) paths.add(path);
    for (const element of elements)
      if (element !== '.') walk(node[element], path === '' ? element : path + SEPARATOR + element);
  };
  walk(tree, '');
  return paths;
}

/** A path for people: `.spec.ports[port=80,protocol="TCP"].nodePort`. */
export function formatPath(path: string): string {
  return path
    .split(SEPARATOR)
    .map((element) => {
      const content = element.slice(2);
      switch (element.slice(0, 2)) {
        case 'k:':
          return `[${Object.entries(JSON.parse(content) as JsonObject)
            .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
            .join(',')}]`;
        case 'v:':
          return `[=${content}]`;
        default:
          return `.${content}`;
      }
    })
    .join('');
}
