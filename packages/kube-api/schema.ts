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

let loaded: Readonly<Record<string, Schema>> | undefined;

/** Every definition by its full name (`io.k8s.api.core.v1.Pod`). Read on first use: agents never call this. */
export function schemaDefinitions(): Readonly<Record<string, Schema>> {
  loaded ??= JSON.parse(
    readFileSync(new URL('./generated/schema.json', import.meta.url), 'utf8'),
  ) as Readonly<Record<string, Schema>>;
  return loaded;
}
