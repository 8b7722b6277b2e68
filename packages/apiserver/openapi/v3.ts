import type { JsonObject } from '#kube-api';
import { VERSION } from '../http/discovery.ts';
import type { ApiDocument, Operation } from './document.ts';
import { pathsJson, schemasJson } from './json.ts';

const REF = '#/components/schemas/';

/** The document as OpenAPI 3.0 JSON. */
export function openApiV3Json({ definitions, paths }: ApiDocument): JsonObject {
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: VERSION.gitVersion },
    paths: pathsJson(paths, operationJson),
    components: { schemas: schemasJson(definitions, reference) },
  };
}

/** A reference must stand alone; one with a description beside it is wrapped. */
function reference(name: string, hasDescription: boolean): JsonObject {
  const $ref = REF + name;
  return hasDescription ? { allOf: [{ $ref }] } : { $ref };
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
