import type { Json, JsonObject } from '#kube-api';
import type { Kind } from '../registry/kind.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

/** A `meta.k8s.io/v1` Table of objects, as `kubectl get` asks for. `columns: false` leaves the definitions out (watches, after the first). */
export function renderTable(
  kind: Kind,
  objects: readonly JsonObject[],
  options: {
    readonly now: number;
    readonly include: IncludeObject;
    readonly metadata: JsonObject;
    readonly columns?: boolean;
    readonly version: string;
  },
): JsonObject {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata: options.metadata,
    columnDefinitions:
      options.columns === false
        ? null
        : kind.columns.map(
            ({ name, type, format, description, wide }): Json => ({
              name,
              type,
              format: format ?? '',
              description,
              priority: wide === true ? 1 : 0,
            }),
          ),
    rows: objects.map(
      (object): Json => ({
        cells: kind.columns.map((column) => column.value(object, options.now)),
        ...includedObject(object, options.include, options.version),
      }),
    ),
  };
}

function includedObject(object: JsonObject, include: IncludeObject, version: string): JsonObject {
  switch (include) {
    case 'None':
      return {};
    case 'Object':
      return { object };
    case 'Metadata':
      return { object: partialMetadata(object, version) };
    default:
      return include satisfies never;
  }
}

export function partialMetadata(object: JsonObject, version: string): JsonObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${version}`,
    metadata: object['metadata'] ?? {},
  };
}
