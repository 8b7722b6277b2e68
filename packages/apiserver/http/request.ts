import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { errorMessage } from '#runtime';
import { badRequest, tooLarge, unsupportedMediaType } from '../status.ts';

/** Of a request's body, in bytes. Source: MaxRequestBodyBytes of the generic API server. */
export const MAX_BODY = 3 * 1024 * 1024;

/** A request, read and ready to be answered. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly contentType: string;
  readonly userAgent: string;
  /** The whole body; empty when there is none. */
  readonly body: string;
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > MAX_BODY) throw tooLarge(MAX_BODY);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw tooLarge(MAX_BODY);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const BODY_TYPES = ['application/json', 'application/yaml'] as const;

/** A JSON or YAML body. @throws StatusError 400, 415 */
export function parseBody({ body, contentType }: Pick<ApiRequest, 'body' | 'contentType'>): unknown {
  const type = mediaType(contentType);
  switch (type) {
    case '':
    case 'application/json':
      return parseJson(body);
    case 'application/yaml':
      return parseYamlBody(body);
    default:
      throw unsupportedMediaType(type, BODY_TYPES);
  }
}

export function mediaType(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch (error) {
    throw badRequest(`the object provided is unrecognized (must be of type JSON): ${errorMessage(error)}`);
  }
}

export function parseYamlBody(body: string): unknown {
  try {
    return parseYaml(body, { maxAliasCount: 100 }) as unknown;
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${errorMessage(error)}`);
  }
}
