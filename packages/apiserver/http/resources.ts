import { applyJsonPatch, applyMergePatch, asObject, type Json, type JsonObject } from '#kube-api';
import type { Clock } from '#runtime';
import type { TokenSigner } from '../auth/tokens.ts';
import { applyStrategicMergePatch } from '../patch/strategic-merge-patch.ts';
import { bindPod, evictPod, issueToken } from '../registry/actions.ts';
import type { Kind, PartSubresource } from '../registry/kind.ts';
import { metaOf } from '../registry/metadata.ts';
import type { Registry } from '../registry/registry.ts';
import type { Target, Written } from '../registry/requests.ts';
import { badRequest, methodNotAllowed, pathNotFound, unsupportedMediaType } from '../status.ts';
import { type Answer, json } from './answer.ts';
import { deleteOptions, deleteRequest, isDryRun, listQuery, writeOptions } from './options.ts';
import { type ApiRequest, mediaType, parseBody, parseJson } from './request.ts';
import type { ResourceRoute } from './route.ts';
import { serveScale } from './scale.ts';
import { shapeList, shapeObject } from './shape.ts';

const PATCH_TYPES = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
] as const;

/** Answers everything under /api and /apis that is not a stream. */
export class ResourceHandler {
  readonly #registry: Registry;
  readonly #clock: Clock;
  readonly #tokens: TokenSigner;

  constructor(registry: Registry, clock: Clock, tokens: TokenSigner) {
    this.#registry = registry;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  /** @throws StatusError */
  handle(route: ResourceRoute, request: ApiRequest): Answer {
    if (route.subresource !== undefined && route.name !== undefined)
      return this.#subresource(route, { ...route, name: route.name }, request);
    return route.name === undefined
      ? this.#collection(route, request)
      : this.#object({ ...route, name: route.name }, request);
  }

  #collection({ kind, namespace }: ResourceRoute, request: ApiRequest): Answer {
    const { query } = request;
    switch (request.method) {
      case 'GET':
      case 'HEAD': {
        const result = this.#registry.list(kind, { namespace, ...listQuery(query) });
        return json(
          this.#shapeList(
            kind,
            result.items,
            {
              resourceVersion: result.resourceVersion,
              ...(result.continue !== undefined && { continue: result.continue }),
              ...(result.remaining !== undefined && { remainingItemCount: result.remaining }),
            },
            request,
          ),
        );
      }
      case 'POST': {
        if (kind.resource.namespaced && namespace === undefined) throw methodNotAllowed();
        const written = this.#registry.create(kind, namespace, parseBody(request), writeOptions(request));
        return this.#written(kind, written, request);
      }
      case 'DELETE': {
        const { items, resourceVersion } = this.#registry.deleteCollection(
          kind,
          { namespace, ...listQuery(query) },
          deleteRequest(request),
        );
        return json(this.#shapeList(kind, items, { resourceVersion }, request));
      }
      default:
        throw methodNotAllowed();
    }
  }

  #object(target: Target, request: ApiRequest): Answer {
    const { kind } = target;
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return json(this.#shape(kind, this.#registry.get(target), request));
      case 'PUT':
        return this.#written(
          kind,
          this.#registry.update(target, parseBody(request), writeOptions(request)),
          request,
        );
      case 'PATCH':
        return this.#written(kind, this.#patch(target, request, undefined), request);
      case 'DELETE': {
        const { object, gone } = this.#registry.delete(target, deleteRequest(request));
        if (!gone) return json(this.#shape(kind, object, request));
        const { group, plural } = kind.resource;
        return json({
          kind: 'Status',
          apiVersion: 'v1',
          metadata: {},
          status: 'Success',
          details: {
            name: target.name,
            ...(group !== '' && { group }),
            kind: plural,
            uid: metaOf(object).uid,
          },
        });
      }
      default:
        throw methodNotAllowed();
    }
  }

  #subresource(route: ResourceRoute, target: Target, request: ApiRequest): Answer {
    const { kind } = target;
    switch (route.subresource) {
      case 'status':
      case 'finalize':
      case 'ephemeralcontainers': {
        const subresource = route.subresource;
        if (request.method === 'GET') return json(this.#shape(kind, this.#registry.get(target), request));
        if (request.method === 'PUT')
          return this.#written(
            kind,
            this.#registry.update(target, parseBody(request), { ...writeOptions(request), subresource }),
            request,
          );
        if (request.method === 'PATCH')
          return this.#written(kind, this.#patch(target, request, subresource), request);
        throw methodNotAllowed();
      }
      case 'scale':
        return serveScale(this.#registry, target, kind.scale, request);
      case 'binding':
        if (request.method !== 'POST') throw methodNotAllowed();
        return json(bindPod(this.#registry, target, parseBody(request), writeOptions(request)), 201);
      case 'eviction': {
        if (request.method !== 'POST') throw methodNotAllowed();
        const options = asObject(asObject(parseBody(request))['deleteOptions']);
        return json(
          evictPod(this.#registry, target, { ...deleteOptions(options), dryRun: isDryRun(request, options) }),
          201,
        );
      }
      case 'token': {
        if (request.method !== 'POST') throw methodNotAllowed();
        return json(issueToken(this.#registry, this.#tokens, target, parseBody(request)), 201);
      }
      default:
        throw pathNotFound();
    }
  }

  #patch(target: Target, request: ApiRequest, subresource: PartSubresource | undefined): Written {
    const type = mediaType(request.contentType);
    const options = { ...writeOptions(request), subresource, text: undefined };
    switch (type) {
      case 'application/json-patch+json': {
        const patch = parseJson(request.body);
        return this.#registry.patch(target, (current) => applyJsonPatch(current, patch), options);
      }
      case 'application/merge-patch+json': {
        const patch = parseJson(request.body) as Json;
        return this.#registry.patch(target, (current) => applyMergePatch(current, patch), options);
      }
      case 'application/strategic-merge-patch+json': {
        const patch = parseJson(request.body);
        const { definition } = target.kind;
        return this.#registry.patch(
          target,
          (current) => applyStrategicMergePatch(current, patch, definition),
          options,
        );
      }
      case 'application/apply-patch+yaml':
        if (!request.query.get('fieldManager'))
          throw badRequest(
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
          );
        return this.#registry.apply(target, parseJson(request.body), {
          ...options,
          force: request.query.get('force') === 'true',
        });
      default:
        throw unsupportedMediaType(type, PATCH_TYPES);
    }
  }

  #written(kind: Kind, { object, warnings, created }: Written, request: ApiRequest): Answer {
    return json(this.#shape(kind, object, request), created ? 201 : 200, warnings);
  }

  #shape(kind: Kind, object: JsonObject, request: ApiRequest): JsonObject {
    return shapeObject(kind, object, request, this.#clock.now());
  }

  #shapeList(
    kind: Kind,
    items: readonly JsonObject[],
    metadata: JsonObject,
    request: ApiRequest,
  ): JsonObject {
    return shapeList(kind, items, metadata, request, this.#clock.now());
  }
}
