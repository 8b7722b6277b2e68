import type { Json, JsonObject } from '#kube-api';
import type { StatusError } from '../status.ts';

/** A whole answer. */
export interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  /** For Warning headers (RFC 7234 section 5.5, code 299). */
  readonly warnings?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export function json(value: Json | JsonObject, code = 200, warnings: readonly string[] = []): Answer {
  return {
    code,
    contentType: 'application/json',
    body: `${JSON.stringify(value)}\n`,
    ...(warnings.length > 0 && { warnings }),
  };
}

export function plain(body: string, code = 200): Answer {
  return { code, contentType: 'text/plain; charset=utf-8', body };
}

export function failure(status: StatusError['status']): Answer {
  const retryAfter = status.details?.retryAfterSeconds;
  return {
    ...json(status as unknown as JsonObject, status.code),
    ...(retryAfter !== undefined && { headers: { 'Retry-After': String(retryAfter) } }),
  };
}
