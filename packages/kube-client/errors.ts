import { PodwayError } from '#runtime';

/** The API's `Status.details`, as far as clients read it. */
export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly {
    readonly reason?: string;
    readonly message?: string;
    readonly field?: string;
  }[];
}

/** An API `Status` object of a failure. */
export interface FailureStatus {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: StatusDetails;
}

/** The API server said no. `status` is the HTTP code, `reason` the API's word for it (`NotFound`, `AlreadyExists`, …). */
export class ApiError extends PodwayError {
  readonly code = 'Api';
  readonly status: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;

  constructor(status: number, failure: FailureStatus = {}) {
    const reason = failure.reason ?? defaultReason(status);
    super(failure.message ?? `${reason} (HTTP ${status})`);
    this.status = status;
    this.reason = reason;
    this.details = failure.details;
  }
}

/** The API server could not be asked: no connection, a broken one, no answer in time, or an answer that is not the API's. */
export class ApiUnreachableError extends PodwayError {
  readonly code = 'ApiUnreachable';
}

export const isNotFound = (error: unknown): boolean => error instanceof ApiError && error.status === 404;
/** Somebody else changed the object first: read again and decide anew. */
export const isConflict = (error: unknown): boolean =>
  error instanceof ApiError && error.status === 409 && error.reason === 'Conflict';
/**
 * The object that was meant by its uid is gone, and another one has its name. kube-apiserver says so of a patch as of any field that
 * may not change (rest.BeforeUpdate), of an update or a delete as of a precondition (storage.Preconditions, rest.BeforeDelete).
 */
export const isReplaced = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.status === 422
    ? error.details?.causes?.some(({ field }) => field === 'metadata.uid') === true
    : error.status === 409 && /\bUID in (the )?precondition\b/.test(error.message));
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof ApiError && error.status === 409 && error.reason === 'AlreadyExists';
/** The resourceVersion is no longer known: list again. */
export const isGone = (error: unknown): boolean => error instanceof ApiError && error.status === 410;

/** Reasons of k8s.io/apimachinery `StatusReason`, for answers that carry none. */
function defaultReason(status: number): string {
  switch (status) {
    case 400:
      return 'BadRequest';
    case 401:
      return 'Unauthorized';
    case 403:
      return 'Forbidden';
    case 404:
      return 'NotFound';
    case 405:
      return 'MethodNotAllowed';
    case 409:
      return 'Conflict';
    case 410:
      return 'Expired';
    case 415:
      return 'UnsupportedMediaType';
    case 422:
      return 'Invalid';
    case 429:
      return 'TooManyRequests';
    case 503:
      return 'ServiceUnavailable';
    case 504:
      return 'Timeout';
    default:
      return status >= 500 ? 'InternalError' : 'Unknown';
  }
}
