import { apiVersionOf, formatLabelSelector, type LabelSelector } from '#kube-api';
import type { Clock } from '#runtime';
import type { TokenSigner } from '../auth/tokens.ts';
import { asObject, asString, at, isObject, type Json, type JsonObject, withAt } from '../json.ts';
import { applyJsonPatch } from '../patch/json-patch.ts';
import { applyMergePatch } from '../patch/merge-patch.ts';
import { applyStrategicMergePatch } from '../patch/strategic-merge-patch.ts';
import { bindPod, evictPod, issueToken } from '../registry/actions.ts';
import type { FieldValidation } from '../registry/decode.ts';
import type { Kind, ScalePaths } from '../registry/kind.ts';
import { metaOf } from '../registry/metadata.ts';
import type {
  DeleteRequest,
  ListQuery,
  Registry,
  Target,
  WriteOptions,
  Written,
} from '../registry/registry.ts';
import {
  badRequest,
  conflict,
  invalid,
  methodNotAllowed,
  pathNotFound,
  unsupportedMediaType,
} from '../status.ts';
import { type IncludeObject, partialMetadata, renderTable } from '../table/table.ts';
import { invalidValue } from '../validation/field-error.ts';
import { parseAccept } from './accept.ts';
import { type Answer, json } from './answer.ts';
import { type ApiRequest, mediaType, parseBody, parseJson } from './request.ts';
import type { ResourceRoute } from './route.ts';

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
      case 'finalize': {
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
        return this.#scale(target, kind.scale, request);
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

  #patch(target: Target, request: ApiRequest, subresource: 'status' | undefined | 'finalize'): Written {
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
        return this.#registry.apply(
          target,
          parseJson(request.body),
          request.query.get('force') === 'true',
          options,
        );
      default:
        throw unsupportedMediaType(type, PATCH_TYPES);
    }
  }

  #scale(target: Target, paths: ScalePaths | undefined, request: ApiRequest): Answer {
    if (paths === undefined) throw pathNotFound();
    const current = scaleOf(this.#registry.get(target), paths);
    const write = (scale: JsonObject): Answer => {
      const replicas = at(scale, 'spec', 'replicas') ?? 0;
      if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0)
        throw invalid({ group: 'autoscaling', kind: 'Scale' }, target.name, [
          invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0'),
        ]);
      const version = metaOf(scale).resourceVersion;
      if (version !== undefined && version !== metaOf(current).resourceVersion)
        throw conflict(target.kind.resource, target.name);
      const { object } = this.#registry.patch(target, (object) => withAt(object, paths.replicas, replicas), {
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

  #written(kind: Kind, { object, warnings, created }: Written, request: ApiRequest): Answer {
    return json(this.#shape(kind, object, request), created ? 201 : 200, warnings);
  }

  #shape(kind: Kind, object: JsonObject, request: ApiRequest): JsonObject {
    const { as, version } = parseAccept(request.accept);
    switch (as) {
      case 'object':
      case 'PartialObjectMetadataList':
        return object;
      case 'PartialObjectMetadata':
        return partialMetadata(object, version);
      case 'Table':
        return renderTable(kind, [object], {
          now: this.#clock.now(),
          include: includeObject(request.query),
          metadata: { resourceVersion: metaOf(object).resourceVersion ?? '' },
          version,
        });
      default:
        return as satisfies never;
    }
  }

  #shapeList(
    kind: Kind,
    items: readonly JsonObject[],
    metadata: JsonObject,
    request: ApiRequest,
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
          now: this.#clock.now(),
          include: includeObject(request.query),
          metadata,
          version,
        });
      default:
        return as satisfies never;
    }
  }
}

export function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(`invalid includeObject: ${JSON.stringify(value)}`);
}

function listQuery(query: URLSearchParams): ListQuery {
  const limit = query.get('limit');
  if (limit !== null && !/^\d{1,9}$/.test(limit)) throw badRequest(`invalid limit: ${JSON.stringify(limit)}`);
  return {
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
    limit: limit === null ? undefined : Number(limit),
    continue: query.get('continue') ?? undefined,
    resourceVersion: query.get('resourceVersion') ?? undefined,
    resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined,
  };
}

function writeOptions(request: ApiRequest): WriteOptions {
  const { query, userAgent } = request;
  const validation = query.get('fieldValidation') ?? 'Warn';
  if (validation !== 'Strict' && validation !== 'Warn' && validation !== 'Ignore')
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "", "Ignore", "Strict", "Warn"`,
    );
  return {
    manager: query.get('fieldManager') || (userAgent.split('/')[0] ?? 'unknown'),
    dryRun: isDryRun(request, {}),
    fieldValidation: validation as FieldValidation,
    text: request.body,
  };
}

function isDryRun({ query }: ApiRequest, options: JsonObject): boolean {
  const values = [...query.getAll('dryRun'), ...(Array.isArray(options['dryRun']) ? options['dryRun'] : [])];
  for (const value of values)
    if (value !== 'All')
      throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
  return values.length > 0;
}

function deleteRequest(request: ApiRequest): DeleteRequest {
  const body = request.body.trim() === '' ? {} : parseBody(request);
  if (!isObject(body)) throw badRequest('the body must be DeleteOptions');
  const fromQuery: JsonObject = {
    ...(request.query.has('gracePeriodSeconds') && {
      gracePeriodSeconds: Number(request.query.get('gracePeriodSeconds')),
    }),
    ...(request.query.has('propagationPolicy') && {
      propagationPolicy: request.query.get('propagationPolicy'),
    }),
  };
  return { ...deleteOptions({ ...fromQuery, ...body }), dryRun: isDryRun(request, body) };
}

function deleteOptions(options: JsonObject): DeleteRequest {
  const grace = options['gracePeriodSeconds'] ?? undefined;
  if (grace !== undefined && (typeof grace !== 'number' || !Number.isInteger(grace)))
    throw badRequest(`gracePeriodSeconds: Invalid value: ${JSON.stringify(grace)}: must be an integer`);
  const policy = options['propagationPolicy'] ?? undefined;
  if (policy !== undefined && policy !== 'Background' && policy !== 'Foreground' && policy !== 'Orphan')
    throw badRequest(
      `propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  const preconditions = asObject(options['preconditions']);
  const uid = asString(preconditions['uid']);
  const resourceVersion = asString(preconditions['resourceVersion']);
  const orphan = options['orphanDependents'];
  return {
    gracePeriodSeconds: grace,
    propagationPolicy: policy ?? (orphan === true ? 'Orphan' : orphan === false ? 'Background' : undefined),
    preconditions: {
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
  };
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
