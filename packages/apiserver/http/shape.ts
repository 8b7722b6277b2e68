import type { JsonObject } from '#kube-api';
import { apiVersionOf } from '#kube-api';
import type { Kind } from '../registry/kind.ts';
import { metaOf } from '../registry/metadata.ts';
import { partialMetadata, renderTable } from '../table/table.ts';
import { parseAccept } from './accept.ts';
import { includeObject } from './options.ts';
import type { ApiRequest } from './request.ts';

/** An object in the shape that the client asks for: whole, its metadata, or a row of a table. */
export function shapeObject(kind: Kind, object: JsonObject, request: ApiRequest, now: number): JsonObject {
  const { as, version } = parseAccept(request.accept);
  switch (as) {
    case 'object':
    case 'PartialObjectMetadataList':
      return object;
    case 'PartialObjectMetadata':
      return partialMetadata(object, version);
    case 'Table':
      return renderTable(kind, [object], {
        now,
        include: includeObject(request.query),
        metadata: { resourceVersion: metaOf(object).resourceVersion ?? '' },
        version,
      });
    default:
      return as satisfies never;
  }
}

/** As {@link shapeObject}, for a list. */
export function shapeList(
  kind: Kind,
  items: readonly JsonObject[],
  metadata: JsonObject,
  request: ApiRequest,
  now: number,
): JsonObject {
  const { as, version } = parseAccept(request.accept);
  switch (as) {
    case 'object':
    case 'PartialObjectMetadata':
      return {
        kind: `${kind.resource.kind}List`,
        apiVersion: apiVersionOf(kind.resource),
        metadata,
        items: items.map(({ apiVersion: _apiVersion, kind: _kind, ...item }) => item),
      };
    case 'PartialObjectMetadataList':
      return {
        kind: 'PartialObjectMetadataList',
        apiVersion: `meta.k8s.io/${version}`,
        metadata,
        items: items.map((item) => partialMetadata(item, version)),
      };
    case 'Table':
      return renderTable(kind, items, {
        now,
        include: includeObject(request.query),
        metadata,
        version,
      });
    default:
      return as satisfies never;
  }
}
