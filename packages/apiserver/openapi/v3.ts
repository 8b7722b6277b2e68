import { VERSION } from '../http/discovery.ts';
import type { Json, JsonObject } from '../json.ts';
import type { ApiDocument, ApiSchema, Operation } from './document.ts';

const REF = '#/components/schemas/';

/** The document as OpenAPI 3.0 JSON. */
export function openApiV3Json({ definitions, paths }: ApiDocument): JsonObject {
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: VERSION.gitVersion },
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, operations]) => [
        path,
        Object.fromEntries(
          Object.entries(operations).map(([method, operation]) => [method, operationJson(operation)]),
        ),
      ]),
    ),
    components: {
      schemas: Object.fromEntries(
        Object.entries(definitions).map(([name, schema]) => [name, schemaJson(schema)]),
      ),
    },
  };
}

function operationJson({ id, gvk, parameters }: Operation): JsonObject {
  return {
    operationId: id,
    parameters: parameters.map(({ name, description, type }) => ({
      name,
      in: 'query',
      description,
      schema: { type },
    })),
    responses: { 200: { description: 'OK' } },
    'x-kubernetes-group-version-kind': { ...gvk },
  };
}

function schemaJson({
  $ref,
  items,
  additionalProperties,
  properties,
  extensions,
  ...rest
}: ApiSchema): JsonObject {
  return {
    ...(rest as JsonObject),
    // A reference must stand alone, and this one has a description beside it.
    ...($ref !== undefined &&
      (rest.description === undefined ? { $ref: REF + $ref } : { allOf: [{ $ref: REF + $ref }] })),
    ...(items !== undefined && { items: schemaJson(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: schemaJson(additionalProperties) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [name, schemaJson(child)]),
      ),
    }),
    ...(extensions as Readonly<Record<string, Json>> | undefined),
  };
}
