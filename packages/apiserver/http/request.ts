import type { IncomingMessage } from 'node:http';
import { errorMessage, parseYaml } from '#runtime';
import { badRequest, tooLarge, unsupportedMediaType } from '../status.ts';
import { decodeProtobufBody } from './protobuf-body.ts';

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

/** The body as text; YAML and protobuf become JSON here, so that only those who send them load what it takes. @throws StatusError 400, 413 */
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
  const type = mediaType(request.headers['content-type'] ?? '');
  if (type === PROTOBUF) return size === 0 ? '' : JSON.stringify(decodeProtobufBody(Buffer.concat(chunks)));
  const text = Buffer.concat(chunks).toString('utf8');
  const isYaml = type.endsWith('yaml');
  return isYaml && !text.trimStart().startsWith('{') ? yamlToJson(text) : text;
}

async function yamlToJson(text: string): Promise<string> {
  try {
    return JSON.stringify((await parseYaml(text)) ?? null);
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${errorMessage(error)}`);
  }
}

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const BODY_TYPES = ['application/json', 'application/yaml', PROTOBUF] as const;

/** A body that {@link readBody} read. @throws StatusError 400, 415 */
export function parseBody({ body, contentType }: Pick<ApiRequest, 'body' | 'contentType'>): unknown {
  const type = mediaType(contentType);
  switch (type) {
    case '':
    case 'application/json':
    case 'application/yaml':
    case PROTOBUF:
      return parseJson(body);
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
