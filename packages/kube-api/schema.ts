import { readFileSync } from 'node:fs';

/** One type of the API in OpenAPI v2 terms. `$ref` is a bare definition name. */
export interface Schema {
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean';
  readonly format?: string;
  readonly $ref?: string;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** By field number: a field's JSON name, or the fields of a message that JSON has inlined. */
export interface ProtobufFields {
  readonly [number: string]: string | ProtobufFields;
}

let loadedFields: Readonly<Record<string, ProtobufFields>> | undefined;

/** The protobuf field numbers of each definition. Read on first use. */
export function protobufFields(): Readonly<Record<string, ProtobufFields>> {
  loadedFields ??= readJson('protobuf.json') as Readonly<Record<string, ProtobufFields>>;
  return loadedFields;
}

let loaded: Readonly<Record<string, Schema>> | undefined;

/** Every definition by its full name (`io.k8s.api.core.v1.Pod`). Read on first use: agents never call this. */
export function schemaDefinitions(): Readonly<Record<string, Schema>> {
  loaded ??= readJson('schema.json') as Readonly<Record<string, Schema>>;
  return loaded;
}

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`./generated/${name}`, import.meta.url), 'utf8'));
}
