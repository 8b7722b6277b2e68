import type { JsonObject } from '#kube-api';
import { VERSION } from '../http/discovery.ts';
import type { ApiDocument, ApiSchema, HttpMethod, Operation } from './document.ts';
import { pathsJson, schemasJson } from './json.ts';
import { type MessageWriter, message } from './protobuf.ts';

const REF = '#/definitions/';
const TITLE = 'Kubernetes';

/** The document as OpenAPI (Swagger) 2.0 JSON. */
export function openApiV2Json({ definitions, paths }: ApiDocument): JsonObject {
  return {
    swagger: '2.0',
    info: { title: TITLE, version: VERSION.gitVersion },
    paths: pathsJson(paths, operationJson),
    definitions: schemasJson(definitions, (name) => ({ $ref: REF + name })),
  };
}

function operationJson({ id, gvk, parameters }: Operation): JsonObject {
  return {
    operationId: id,
    parameters: parameters.map((parameter) => ({ ...parameter, in: 'query' })),
    responses: { 200: { description: 'OK' } },
    'x-kubernetes-group-version-kind': { ...gvk },
  };
}

/** The document as gnostic's protobuf, the only form that kubectl asks for. Source: gnostic-models openapiv2/OpenAPIv2.proto. */
export function openApiV2Protobuf({ definitions, paths }: ApiDocument): Uint8Array {
  const pathMessages = message();
  for (const [path, operations] of Object.entries(paths))
    pathMessages.message(2, message().string(1, path).message(2, pathItem(operations)));
  const definitionMessages = message();
  for (const [name, schema] of Object.entries(definitions))
    definitionMessages.message(1, message().string(1, name).message(2, schemaMessage(schema)));
  return message()
    .string(1, '2.0')
    .message(2, message().string(1, TITLE).string(2, VERSION.gitVersion))
    .message(8, pathMessages)
    .message(9, definitionMessages)
    .finish();
}

const METHOD_FIELDS: Readonly<Record<HttpMethod, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

function pathItem(operations: Readonly<Partial<Record<HttpMethod, Operation>>>): MessageWriter {
  const item = message();
  for (const [method, operation] of Object.entries(operations))
    item.message(METHOD_FIELDS[method as HttpMethod], operationMessage(operation));
  return item;
}

function operationMessage({ id, gvk, parameters }: Operation): MessageWriter {
  const operation = message().string(5, id);
  for (const { name, description, type } of parameters) {
    const query = message().string(2, 'query').string(3, description).string(4, name).string(6, type);
    // ParametersItem.parameter -> Parameter.non_body_parameter -> NonBodyParameter.query_parameter_sub_schema
    operation.message(8, message().message(1, message().message(2, message().message(3, query))));
  }
  return operation.message(13, namedAny('x-kubernetes-group-version-kind', gvk));
}

/** JSON is YAML, which is what the message holds. */
function namedAny(name: string, value: unknown): MessageWriter {
  return message()
    .string(1, name)
    .message(2, message().string(2, JSON.stringify(value)));
}

function schemaMessage(schema: ApiSchema): MessageWriter {
  const { $ref, additionalProperties, items, properties, extensions } = schema;
  const writer = message()
    .string(1, $ref === undefined ? undefined : REF + $ref)
    .string(2, schema.format)
    .string(4, schema.description)
    .strings(19, schema.required);
  if (additionalProperties !== undefined)
    writer.message(21, message().message(1, schemaMessage(additionalProperties)));
  if (schema.type !== undefined) writer.message(22, message().string(1, schema.type));
  if (items !== undefined) writer.message(23, message().message(1, schemaMessage(items)));
  if (properties !== undefined) {
    const fields = message();
    for (const [name, child] of Object.entries(properties))
      fields.message(1, message().string(1, name).message(2, schemaMessage(child)));
    writer.message(25, fields);
  }
  for (const [name, value] of Object.entries(extensions ?? {})) writer.message(31, namedAny(name, value));
  return writer;
}
