import { asObject, asString, isObject, type JsonObject } from '#kube-api';
import type { FieldValidation } from '../registry/decode.ts';
import type { DeleteRequest, ListQuery, WriteOptions } from '../registry/requests.ts';
import { badRequest } from '../status.ts';
import type { IncludeObject } from '../table/table.ts';
import { type ApiRequest, parseBody } from './request.ts';

export function includeObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? 'Metadata';
  if (value === 'None' || value === 'Metadata' || value === 'Object') return value;
  throw badRequest(`invalid includeObject: ${JSON.stringify(value)}`);
}

/** A parameter that is a whole number, if it is there. @throws StatusError 400 */
export function countOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (!/^\d{1,9}$/.test(text)) throw badRequest(`invalid ${name}: ${JSON.stringify(text)}`);
  return Number(text);
}

export function listQuery(query: URLSearchParams): ListQuery {
  return {
    labelSelector: query.get('labelSelector') ?? undefined,
    fieldSelector: query.get('fieldSelector') ?? undefined,
    limit: countOf(query, 'limit'),
    continue: query.get('continue') ?? undefined,
    resourceVersion: query.get('resourceVersion') ?? undefined,
    resourceVersionMatch: query.get('resourceVersionMatch') ?? undefined,
  };
}

export function writeOptions(request: ApiRequest): WriteOptions {
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

export function isDryRun({ query }: ApiRequest, options: JsonObject): boolean {
  const values = [...query.getAll('dryRun'), ...(Array.isArray(options['dryRun']) ? options['dryRun'] : [])];
  for (const value of values)
    if (value !== 'All')
      throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
  return values.length > 0;
}

export function deleteRequest(request: ApiRequest): DeleteRequest {
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

export function deleteOptions(options: JsonObject): DeleteRequest {
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
