import { type Json, PatchError, type Resource } from '#kube-api';
import { ApiError } from '../errors.ts';
import type { ObjectName } from '../ports.ts';

export function notFound(resource: Resource<unknown>, { name }: ObjectName): ApiError {
  return new ApiError(404, {
    reason: 'NotFound',
    message: `${resource.plural} "${name}" not found`,
    details: detailsOf(resource, name),
  });
}

export function alreadyExists(resource: Resource<unknown>, name: string): ApiError {
  return new ApiError(409, {
    reason: 'AlreadyExists',
    message: `${resource.plural} "${name}" already exists`,
    details: detailsOf(resource, name),
  });
}

export function conflict(resource: Resource<unknown>, { name }: ObjectName, why: string): ApiError {
  return new ApiError(409, {
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${resource.plural} "${name}": ${why}`,
    details: detailsOf(resource, name),
  });
}

export function invalid(resource: Resource<unknown>, field: string, message: string): ApiError {
  return new ApiError(422, {
    reason: 'Invalid',
    message: `${resource.kind} "" is invalid: ${field}: ${message}`,
    details: { kind: resource.kind, causes: [{ field, message }] },
  });
}

/** Nothing can be made in a namespace that is going. */
export function namespaceTerminating(namespace: string): ApiError {
  return new ApiError(403, {
    reason: 'Forbidden',
    message: `unable to create new content in namespace ${namespace} because it is being terminated`,
    details: {
      causes: [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated` }],
    },
  });
}

/** A patch that fails does so as over the wire. */
export function withPatchFailures(apply: () => Json): Json {
  try {
    return apply();
  } catch (error) {
    if (!(error instanceof PatchError)) throw error;
    throw new ApiError(error.failure.code, error.failure);
  }
}

const detailsOf = ({ group, plural }: Resource<unknown>, name: string) => ({ name, group, kind: plural });
