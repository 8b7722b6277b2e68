import type { Json, JsonObject } from '#kube-api';
import type { ApiDocument, ApiSchema, Operation } from './document.ts';

/** The paths in the form that both versions share; what an operation looks like is the version's. */
export function pathsJson(
  paths: ApiDocument['paths'],
  operationJson: (operation: Operation) => JsonObject,
): JsonObject {
  return Object.fromEntries(
    Object.entries(paths).map(([path, operations]) => [
      path,
      Object.fromEntries(
        Object.entries(operations).map(([method, operation]) => [method, operationJson(operation)]),
      ),
    ]),
  );
}

/** The schemas by name; how one refers to another is the version's. */
export function schemasJson(
  schemas: Readonly<Record<string, ApiSchema>>,
  reference: (name: string, hasDescription: boolean) => JsonObject,
): JsonObject {
  const schemaJson = ({
    $ref,
    items,
    additionalProperties,
    properties,
    extensions,
    ...rest
  }: ApiSchema): JsonObject => ({
    ...(rest as JsonObject),
    ...($ref !== undefined && reference($ref, rest.description !== undefined)),
    ...(items !== undefined && { items: schemaJson(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: schemaJson(additionalProperties) }),
    ...(properties !== undefined && { properties: schemasJson(properties, reference) }),
    ...(extensions as Readonly<Record<string, Json>> | undefined),
  });
  return Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, schemaJson(schema)]));
}
