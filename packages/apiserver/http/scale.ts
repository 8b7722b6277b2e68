import {
  applyJsonPatch,
  applyMergePatch,
  asObject,
  at,
  formatLabelSelector,
  type Json,
  type JsonObject,
  type LabelSelector,
  withAt,
} from '#kube-api';
import type { ScalePaths } from '../registry/kind.ts';
import { metaOf } from '../registry/metadata.ts';
import type { Registry } from '../registry/registry.ts';
import type { Target } from '../registry/requests.ts';
import { conflict, invalid, methodNotAllowed, pathNotFound } from '../status.ts';
import { invalidValue } from '../validation/field-error.ts';
import { type Answer, json } from './answer.ts';
import { writeOptions } from './options.ts';
import { type ApiRequest, mediaType, parseBody, parseJson } from './request.ts';

/** Answers for the scale subresource: a view of the object that has its number of replicas alone. */
export function serveScale(
  registry: Registry,
  target: Target,
  paths: ScalePaths | undefined,
  request: ApiRequest,
): Answer {
  if (paths === undefined) throw pathNotFound();
  const current = scaleOf(registry.get(target), paths);
  const write = (scale: JsonObject): Answer => {
    const replicas = at(scale, 'spec', 'replicas') ?? 0;
    if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
      throw invalid({ group: 'autoscaling', kind: 'Scale' }, target.name, [
        invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
      ]);
    const version = metaOf(scale).resourceVersion;
    if (version !== undefined && version !== metaOf(current).resourceVersion)
      throw conflict(target.kind.resource, target.name);
    const { object } = registry.patch(target, (object) => withAt(object, paths.replicas, replicas), {
      ...writeOptions(request),
      text: undefined,
    });
    return json(scaleOf(object, paths));
  };
  switch (request.method) {
    case 'GET':
      return json(current);
    case 'PUT':
      return write(asObject(parseBody(request)));
    case 'PATCH': {
      const patch = parseJson(request.body) as Json;
      const patched =
        mediaType(request.contentType) === 'application/json-patch+json'
          ? applyJsonPatch(current, patch)
          : applyMergePatch(current, patch);
      return write(asObject(patched));
    }
    default:
      throw methodNotAllowed();
  }
}

function scaleOf(object: JsonObject, paths: ScalePaths): JsonObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metaOf(object);
  const selector = at(object, ...paths.selector) as LabelSelector | undefined;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: at(object, ...paths.replicas) ?? 0 },
    status: { replicas: at(object, ...paths.statusReplicas) ?? 0, selector: formatLabelSelector(selector) },
  };
}
