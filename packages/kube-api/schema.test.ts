import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ATOMIC_OBJECTS, MERGE_RULES } from './merge-rules.ts';
import { protobufFields, type Schema, schemaDefinitions } from './schema.ts';

const definitions = schemaDefinitions();

function itemsOf(definition: string, field: string): Schema | undefined {
  const property = definitions[definition]?.properties?.[field];
  const items = property?.items;
  return items?.$ref === undefined ? items : definitions[items.$ref];
}

test('schemaDefinitions: every reference has its definition', () => {
  const check = (schema: Schema, where: string): void => {
    if (schema.$ref !== undefined) assert.ok(definitions[schema.$ref], `${where}: ${schema.$ref}`);
    for (const [name, child] of Object.entries(schema.properties ?? {})) check(child, `${where}.${name}`);
    for (const child of [schema.items, schema.additionalProperties]) if (child) check(child, where);
  };
  for (const [name, schema] of Object.entries(definitions)) check(schema, name);
});

test('MERGE_RULES: name lists that are there, and keys that their items have', () => {
  for (const [definition, rules] of Object.entries(MERGE_RULES))
    for (const [field, { keys, patchKey }] of Object.entries(rules)) {
      const where = `${definition}.${field}`;
      const property = definitions[definition]?.properties?.[field];
      assert.ok(property, where);
      const items = itemsOf(definition, field);
      for (const key of [...(keys ?? []), ...(patchKey === undefined ? [] : [patchKey])])
        assert.ok(items?.properties?.[key], `${where}[].${key}`);
    }
});

test('ATOMIC_OBJECTS: are definitions', () => {
  for (const name of ATOMIC_OBJECTS) assert.ok(definitions[name], name);
});

/** Alpha, and renamed since. */
const UNNUMBERED = new Set(['io.k8s.api.core.v1.NodeAllocatableResourceClaimStatus.resources']);

test('protobufFields: every field of a definition has a number', () => {
  const names = (fields: ReturnType<typeof protobufFields>[string]): string[] =>
    Object.values(fields).flatMap((field) => (typeof field === 'string' ? [field] : names(field)));
  for (const [definition, fields] of Object.entries(protobufFields())) {
    const numbered = new Set(names(fields));
    for (const property of Object.keys(definitions[definition]?.properties ?? {}))
      if (property !== 'apiVersion' && property !== 'kind' && !UNNUMBERED.has(`${definition}.${property}`))
        assert.ok(numbered.has(property), `${definition}.${property}`);
  }
});
