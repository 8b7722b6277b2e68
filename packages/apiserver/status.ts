import { PatchError, type Resource, type Status } from '#kube-api';
import { errorMessage, PodwayError } from '#runtime';
import { type FieldError, fieldErrorMessage } from './validation/field-error.ts';

type Details = NonNullable<Status['details']>;

/** A failure as the API answers it: the `Status` object and its HTTP code. */
export class StatusError extends PodwayError {
  readonly code = 'Status';
  readonly status: Status & { readonly code: number };

  constructor(httpCode: number, reason: string, message: string, details?: Details) {
    super(message);
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details !== undefined && { details }),
      code: httpCode,
    };
  }
}

type Named = Pick<Resource<unknown>, 'group' | 'plural'>;
const qualified = ({ group, plural }: Named) => (group === '' ? plural : `${plural}.${group}`);
const detailsOf = ({ group, plural }: Named, name: string): Details => ({
  name,
  ...(group !== '' && { group }),
  kind: plural,
});

export const badRequest = (message: string): StatusError => new StatusError(400, 'BadRequest', message);

export const notFound = (resource: Named, name: string): StatusError =>
  new StatusError(
    404,
    'NotFound',
    `${qualified(resource)} ${JSON.stringify(name)} not found`,
    detailsOf(resource, name),
  );

/** Nothing is served at this path. It has `details`, as a generic API server's has: kubectl debug reads them unasked, and dies without. */
export const pathNotFound = (): StatusError =>
  new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

export const alreadyExists = (resource: Named, name: string): StatusError =>
  new StatusError(
    409,
    'AlreadyExists',
    `${qualified(resource)} ${JSON.stringify(name)} already exists`,
    detailsOf(resource, name),
  );

export const MODIFIED =
  'the object has been modified; please apply your changes to the latest version and try again';

export const conflict = (resource: Named, name: string, reason: string = MODIFIED): StatusError =>
  new StatusError(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${qualified(resource)} ${JSON.stringify(name)}: ${reason}`,
    detailsOf(resource, name),
  );

export const forbidden = (
  resource: Named,
  name: string,
  reason: string,
  causes?: Details['causes'],
): StatusError =>
  new StatusError(
    403,
    'Forbidden',
    `${qualified(resource)} ${JSON.stringify(name)} is forbidden: ${reason}`,
    { ...detailsOf(resource, name), ...(causes !== undefined && { causes }) },
  );

export const expired = (message: string): StatusError => new StatusError(410, 'Expired', message);

export const unauthorized = (): StatusError => new StatusError(401, 'Unauthorized', 'Unauthorized');

export const methodNotAllowed = (): StatusError =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');

export const unsupportedMediaType = (given: string, accepted: readonly string[]): StatusError =>
  new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}; got ${JSON.stringify(given)}`,
  );

export const tooLarge = (limit: number): StatusError =>
  new StatusError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${limit}`);

export const unavailable = (message: string): StatusError =>
  new StatusError(503, 'ServiceUnavailable', message);

/** 422 with one cause a field error. */
export function invalid(
  resource: Pick<Resource<unknown>, 'group' | 'kind'>,
  name: string,
  errors: readonly FieldError[],
): StatusError {
  const messages = [...new Set(errors.map((error) => `${error.field}: ${fieldErrorMessage(error)}`))];
  const text = messages.length === 1 ? messages[0] : `[${messages.join(', ')}]`;
  return new StatusError(
    422,
    'Invalid',
    `${resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`} ${JSON.stringify(name)} is invalid: ${text}`,
    {
      name,
      ...(resource.group !== '' && { group: resource.group }),
      kind: resource.kind,
      causes: errors.map((error) => ({
        reason: error.type,
        message: fieldErrorMessage(error),
        field: error.field,
      })),
    },
  );
}

const ofPatch = ({ failure: { code, reason, message } }: PatchError): StatusError =>
  new StatusError(code, reason, message);

/** Anything thrown, as a Status: what was not thrown on purpose is a 500. */
export function toStatus(error: unknown): StatusError['status'] {
  if (error instanceof StatusError) return error.status;
  if (error instanceof PatchError) return ofPatch(error).status;
  return new StatusError(500, 'InternalError', `Internal error occurred: ${errorMessage(error)}`).status;
}
