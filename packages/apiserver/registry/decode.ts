import { apiVersionOf, canonicalQuantity, isObject, type Json, type JsonObject } from '#kube-api';
import { badRequest } from '../status.ts';
import { duplicateKeys } from './duplicate-keys.ts';
import type { Kind } from './kind.ts';
import { definitionSchema, fieldSchema, type ResolvedSchema, resolve } from './schema-walk.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface Decoded {
  readonly object: JsonObject;
  /** For Warning headers; only with `Warn`. */
  readonly warnings: readonly string[];
}

const QUANTITY = 'io.k8s.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'io.k8s.apimachinery.pkg.util.intstr.IntOrString';

/**
 * A body as an object of the kind, the way the API's typed decoding sees it: unknown fields are dropped (and reported as
 * `validation` says), nulls and empty optional values are absent, a value of the wrong type is a 400. `text`, when
 * given, is searched for duplicate fields, which parsed JSON no longer shows.
 */
export function decodeObject(
  value: unknown,
  kind: Kind,
  validation: FieldValidation,
  text?: string,
): Decoded {
  const { resource } = kind;
  const apiVersion = apiVersionOf(resource);
  const fail = (reason: string): never => {
    throw badRequest(
      `${resource.kind} in version ${JSON.stringify(resource.version)} cannot be handled as a ${resource.kind}: ${reason}`,
    );
  };
  if (!isObject(value)) return fail('json: cannot unmarshal the body into an object');
  if (value['kind'] !== undefined && value['kind'] !== resource.kind)
    throw badRequest(
      `the kind in the data (${String(value['kind'])}) does not match the expected kind (${resource.kind})`,
    );
  if (value['apiVersion'] !== undefined && value['apiVersion'] !== apiVersion)
    throw badRequest(
      `the API version in the data (${String(value['apiVersion'])}) does not match the expected API version (${apiVersion})`,
    );
  const unknown: string[] = [];
  const object = convert(value, definitionSchema(kind.definition), '', { fail, unknown }) as JsonObject;
  const problems =
    validation === 'Ignore'
      ? []
      : [
          ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
          ...(text === undefined ? [] : duplicateKeys(text)).map(
            (path) => `duplicate field ${JSON.stringify(path)}`,
          ),
        ];
  if (validation === 'Strict' && problems.length > 0) fail(`strict decoding error: ${problems.join(', ')}`);
  return { object: { ...object, apiVersion, kind: resource.kind }, warnings: problems };
}

interface Context {
  readonly fail: (reason: string) => never;
  readonly unknown: string[];
}

function convert(value: unknown, schema: ResolvedSchema, path: string, context: Context): Json {
  const mismatch = (expected: string) =>
    context.fail(
      `json: cannot unmarshal ${jsonType(value)} into Go struct field ${path.replace(/^\./, '')} of type ${expected}`,
    );
  if (schema.definition === QUANTITY) {
    if (typeof value !== 'string' && typeof value !== 'number') return mismatch('resource.Quantity');
    // What is no quantity is for validation to tell, with its field.
    return canonicalQuantity(String(value)) ?? String(value);
  }
  if (schema.definition === INT_OR_STRING) {
    if (typeof value === 'string' || Number.isInteger(value)) return value as Json;
    return mismatch('intstr.IntOrString');
  }
  switch (schema.type) {
    case 'array': {
      if (!Array.isArray(value)) return mismatch('slice');
      const items = resolve(schema.items ?? {});
      return value.map((item, i) => convert(item, items, `${path}[${i}]`, context));
    }
    case 'string':
      if (typeof value !== 'string') return mismatch('string');
      if (schema.format === 'byte' && !/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value))
        return context.fail(`illegal base64 data in field ${path.replace(/^\./, '')}`);
      if (schema.format?.startsWith('date-time') === true && Number.isNaN(Date.parse(value)))
        return context.fail(`parsing time ${JSON.stringify(value)} as "2006-01-02T15:04:05Z07:00" failed`);
      return value;
    case 'boolean':
      return typeof value === 'boolean' ? value : mismatch('bool');
    case 'integer': {
      if (!Number.isInteger(value)) return mismatch(schema.format ?? 'int64');
      const number = value as number;
      return schema.format === 'int32' && Math.abs(number) > 2 ** 31 ? mismatch('int32') : number;
    }
    case 'number':
      return typeof value === 'number' ? value : mismatch('float64');
    default:
      if (schema.properties === undefined && schema.additionalProperties === undefined) return value as Json;
      return isObject(value) ? convertObject(value, schema, path, context) : mismatch(typeName(schema));
  }
}

function convertObject(
  value: JsonObject,
  schema: ResolvedSchema,
  path: string,
  context: Context,
): JsonObject {
  const isMap = schema.properties === undefined;
  const entries: [string, Json][] = [];
  for (const [key, child] of Object.entries(value)) {
    const childPath = path === '' ? key : `${path}.${key}`;
    const childSchema = fieldSchema(schema, key);
    if (childSchema === undefined) {
      context.unknown.push(childPath);
      continue;
    }
    if (child === null || child === undefined) {
      // A null in a map is the zero value of its type, in a struct an absent field.
      if (isMap && childSchema.type === 'string') entries.push([key, '']);
      continue;
    }
    const converted = convert(child, childSchema, childPath, context);
    const optional = !isMap && schema.required?.includes(key) !== true;
    if (!(optional && isEmpty(converted, childSchema))) entries.push([key, converted]);
  }
  return Object.fromEntries(entries);
}

/** What Go's omitempty leaves out: empty strings, lists and maps (but not structs). */
function isEmpty(value: Json, schema: ResolvedSchema): boolean {
  if (value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && schema.additionalProperties !== undefined && Object.keys(value).length === 0;
}

function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function typeName({ definition, additionalProperties }: ResolvedSchema): string {
  if (definition === undefined)
    return additionalProperties?.type === 'string' ? 'map[string]string' : 'map[string]object';
  return definition.split('.').slice(-2).join('.');
}
