import { type Schema, schemaDefinitions } from '#kube-api';

/** A schema with its reference resolved; `definition` is the name of what it referred to. */
export interface ResolvedSchema extends Schema {
  readonly definition?: string;
}

const resolved = new Map<string, ResolvedSchema>();

/** The schema of a definition. Throws on a name that is not in schema.json: a kind's strategy is wrong. */
export function definitionSchema(name: string): ResolvedSchema {
  let schema = resolved.get(name);
  if (schema === undefined) {
    const found = schemaDefinitions()[name];
    if (found === undefined) throw new Error(`schema.json has no definition ${name}`);
    schema = { ...found, definition: name };
    resolved.set(name, schema);
  }
  return schema;
}

export function resolve(schema: Schema): ResolvedSchema {
  return schema.$ref === undefined ? schema : definitionSchema(schema.$ref);
}

/** The schema of a field of an object or map; undefined when it has no such field. */
export function fieldSchema(schema: ResolvedSchema, field: string): ResolvedSchema | undefined {
  const property =
    schema.properties !== undefined && Object.hasOwn(schema.properties, field)
      ? schema.properties[field]
      : schema.additionalProperties;
  return property === undefined ? undefined : resolve(property);
}
