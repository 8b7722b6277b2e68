import { ATOMIC_OBJECTS, mergeRule, resourcePath, type Schema, schemaDefinitions } from '#kube-api';
import type { Kind } from '../registry/kind.ts';

/** What the document needs of a kind. */
export interface Documented extends Pick<Kind, 'resource' | 'definition'> {
  /** Nothing of it is stored. */
  readonly createOnly?: boolean;
}

/** A schema with the extensions that clients read. `$ref` is a bare definition name still. */
export interface ApiSchema extends Omit<Schema, 'items' | 'additionalProperties' | 'properties'> {
  readonly items?: ApiSchema;
  readonly additionalProperties?: ApiSchema;
  readonly properties?: Readonly<Record<string, ApiSchema>>;
  readonly extensions?: Readonly<Record<string, unknown>>;
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export type HttpMethod = 'get' | 'put' | 'post' | 'delete' | 'patch';

export interface Operation {
  readonly id: string;
  readonly gvk: GroupVersionKind;
  readonly parameters: readonly {
    readonly name: string;
    readonly description: string;
    readonly type: string;
  }[];
}

/** What both OpenAPI versions are made from. */
export interface ApiDocument {
  readonly definitions: Readonly<Record<string, ApiSchema>>;
  readonly paths: Readonly<Record<string, Readonly<Partial<Record<HttpMethod, Operation>>>>>;
}

/** The document for some kinds: their definitions, with what those reach, and their paths. */
export function apiDocument(kinds: readonly Documented[]): ApiDocument {
  const all = schemaDefinitions();
  const kindsOf = new Map<string, GroupVersionKind>();
  for (const { definition, resource } of kinds) {
    const { group, version, kind } = resource;
    kindsOf.set(definition, { group, version, kind });
    kindsOf.set(`${definition}List`, { group, version, kind: `${kind}List` });
  }
  const definitions: Record<string, ApiSchema> = {};
  const include = (name: string) => {
    const schema = all[name];
    if (schema === undefined || Object.hasOwn(definitions, name)) return;
    definitions[name] = {};
    definitions[name] = convert(name, schema, kindsOf.get(name));
    for (const referred of references(schema)) include(referred);
  };
  for (const name of kindsOf.keys()) include(name);
  return { definitions, paths: Object.fromEntries(kinds.flatMap(pathsOf)) };
}

function* references(schema: Schema): Generator<string> {
  if (schema.$ref !== undefined) yield schema.$ref;
  for (const child of [schema.items, schema.additionalProperties, ...Object.values(schema.properties ?? {})])
    if (child !== undefined) yield* references(child);
}

function convert(name: string, schema: Schema, gvk: GroupVersionKind | undefined): ApiSchema {
  const { properties, ...rest } = schema;
  const extensions = {
    ...(gvk !== undefined && { 'x-kubernetes-group-version-kind': [gvk] }),
    ...(ATOMIC_OBJECTS.has(name) && { 'x-kubernetes-map-type': 'atomic' }),
  };
  return {
    ...rest,
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([field, child]) => [field, withMergeRule(name, field, child)]),
      ),
    }),
    ...(Object.keys(extensions).length > 0 && { extensions }),
  };
}

function withMergeRule(definition: string, field: string, schema: Schema): ApiSchema {
  const rule = mergeRule(definition, field);
  const isList = schema.type === 'array';
  if (rule === undefined && !isList) return schema;
  const extensions = {
    ...(rule?.patchKey !== undefined && { 'x-kubernetes-patch-merge-key': rule.patchKey }),
    ...(rule?.patchStrategy !== undefined && { 'x-kubernetes-patch-strategy': rule.patchStrategy }),
    ...(isList && { 'x-kubernetes-list-type': rule?.listType ?? 'atomic' }),
    ...(rule?.keys !== undefined && { 'x-kubernetes-list-map-keys': rule.keys }),
  };
  return { ...schema, extensions };
}

const DRY_RUN = { name: 'dryRun', description: 'All: nothing is stored', type: 'string' };
const WRITE = [
  DRY_RUN,
  { name: 'fieldManager', description: 'the name of who makes these changes', type: 'string' },
  {
    name: 'fieldValidation',
    description: 'Ignore, Warn or Strict: what unknown and duplicate fields do',
    type: 'string',
  },
];
const FORCE = { name: 'force', description: 'take fields over that others manage', type: 'boolean' };

function pathsOf(kind: Documented): readonly [string, Readonly<Partial<Record<HttpMethod, Operation>>>][] {
  const { group, version, kind: name, namespaced } = kind.resource;
  const gvk = { group, version, kind: name };
  const where = namespaced ? { namespace: '{namespace}' } : {};
  const operation = (verb: string, parameters: Operation['parameters'] = []): Operation => ({
    id: `${verb}${group === '' ? 'Core' : (group.split('.')[0] ?? '')}${version}${namespaced ? 'Namespaced' : ''}${name}`,
    gvk,
    parameters,
  });
  const decoded = (path: string) => decodeURIComponent(path);
  const collection = decoded(resourcePath(kind.resource, where));
  if (kind.createOnly === true) return [[collection, { post: operation('create', WRITE) }]];
  return [
    [
      collection,
      {
        get: operation('list'),
        post: operation('create', WRITE),
        delete: operation('deleteCollection', [DRY_RUN]),
      },
    ],
    [
      decoded(resourcePath(kind.resource, { ...where, name: '{name}' })),
      {
        get: operation('read'),
        put: operation('replace', WRITE),
        patch: operation('patch', [...WRITE, FORCE]),
        delete: operation('delete', [DRY_RUN]),
      },
    ],
  ];
}
