import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Clock, Logger, Random } from '#runtime';
import type { Identity } from '../auth/identify.ts';
import type { TokenSigner } from '../auth/tokens.ts';
import type { Registry } from '../registry/registry.ts';
import {
  methodNotAllowed,
  pathNotFound,
  StatusError,
  toStatus,
  unauthorized,
  unavailable,
} from '../status.ts';
import { type Answer, failure, json, plain } from './answer.ts';
import { type Discovery, VERSION } from './discovery.ts';
import { kubeletPath, rawFailure, relayRequest, relayUpgrade } from './relay.ts';
import { type ApiRequest, readBody } from './request.ts';
import { ResourceHandler } from './resources.ts';
import { answerReview, findReview } from './reviews.ts';
import type { ResourceRoute, Router } from './route.ts';
import { streamWatch } from './watch.ts';

/** Answers the OpenAPI paths; undefined for other paths. */
export type OpenApiHandler = (path: string, accept: string) => Promise<Answer | undefined>;

export interface HandlerDeps {
  readonly registry: Registry;
  readonly router: Router;
  readonly discovery: Discovery;
  readonly openApi: OpenApiHandler;
  readonly kubeletSocket: string | undefined;
  readonly tokens: TokenSigner;
  readonly identify: (request: IncomingMessage) => Identity | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const PUBLIC_PATHS = new Set(['/healthz', '/livez', '/readyz', '/version']);
const STREAMS = new Set(['log', 'exec', 'attach', 'portforward']);

/** Every HTTP request of the server. Failures of any kind are answered as a Status. */
export class HttpHandler {
  readonly #deps: HandlerDeps;
  readonly #resources: ResourceHandler;

  constructor(deps: HandlerDeps) {
    this.#deps = deps;
    this.#resources = new ResourceHandler(deps.registry, deps.clock, deps.tokens);
  }

  readonly request = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('error', () => {});
    this.#request(request, response).catch((error: unknown) => {
      const status = toStatus(error);
      if (status.code === 500)
        this.#deps.logger.error('request failed', { method: request.method, path: request.url, error });
      if (response.headersSent) return void response.destroy();
      send(response, failure(status), request.method);
      // What is left of an oversized body is not read.
      if (status.code === 413) request.destroy();
    });
  };

  readonly upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    try {
      const { path, query } = splitUrl(request);
      if (this.#deps.identify(request) === undefined) throw unauthorized();
      const route = this.#deps.router.route(path);
      if (route?.subresource === undefined || !STREAMS.has(route.subresource)) throw pathNotFound();
      const target = this.#kubeletTarget(route, query);
      relayUpgrade(target.socket, target.path, request, socket, head);
    } catch (error) {
      const status =
        error instanceof StatusError
          ? error
          : new StatusError(500, 'InternalError', toStatus(error).message ?? '');
      socket.end(rawFailure(status));
    }
  };

  async #request(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { path, query } = splitUrl(request);
    const accept = request.headers.accept ?? '';
    const method = request.method ?? 'GET';
    const identity = this.#deps.identify(request);
    if (identity === undefined && !PUBLIC_PATHS.has(path)) throw unauthorized();
    const fixed = await this.#fixed(path, accept);
    if (fixed !== undefined) {
      if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
      return send(response, fixed, method);
    }
    const route = this.#deps.router.route(path);
    if (route?.subresource !== undefined && STREAMS.has(route.subresource)) {
      const target = this.#kubeletTarget(route, query);
      return relayRequest(target.socket, target.path, request, response);
    }
    const known = { method, path, query, accept };
    if (route === undefined) {
      // Before its body is looked at: of a kind that is not served, nothing can be read.
      const review = findReview(path);
      if (review === undefined || identity === undefined) throw pathNotFound();
      return send(response, answerReview(review, await readRequest(request, known), identity()), method);
    }
    const apiRequest = await readRequest(request, known);
    const isWatch = route.watch || ['true', '1'].includes(query.get('watch') ?? '');
    if (method === 'GET' && isWatch && route.subresource === undefined) {
      streamWatch(this.#deps, route, apiRequest, response);
      return;
    }
    send(response, this.#resources.handle(route, apiRequest), method);
  }

  async #fixed(path: string, accept: string): Promise<Answer | undefined> {
    if (path === '/version' || path === '/version/') return json(VERSION);
    if (/^\/(healthz|livez|readyz)(\/|$)/.test(path)) return plain('ok');
    if (path.startsWith('/openapi/')) return this.#deps.openApi(path, accept);
    if (path === '/')
      return json({
        paths: ['/api', '/apis', '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version'],
      });
    const found = this.#deps.discovery.document(path, accept);
    return found === undefined
      ? undefined
      : { code: 200, contentType: found.contentType, body: JSON.stringify(found.body) };
  }

  #kubeletTarget({ kind, namespace, name, subresource }: ResourceRoute, query: URLSearchParams) {
    if (name === undefined || subresource === undefined) throw pathNotFound();
    const pod = this.#deps.registry.get({ kind, namespace, name });
    const path = kubeletPath(pod, subresource, query);
    const socket = this.#deps.kubeletSocket;
    if (socket === undefined) throw unavailable('this API server has no kubelet to ask');
    return { socket, path };
  }
}

async function readRequest(
  request: IncomingMessage,
  known: Pick<ApiRequest, 'method' | 'path' | 'query' | 'accept'>,
): Promise<ApiRequest> {
  const { headers } = request;
  return {
    ...known,
    contentType: headers['content-type'] ?? '',
    userAgent: headers['user-agent'] ?? '',
    body: known.method === 'GET' || known.method === 'HEAD' ? '' : await readBody(request),
  };
}

function splitUrl(request: IncomingMessage): { readonly path: string; readonly query: URLSearchParams } {
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  return mark < 0
    ? { path: url, query: new URLSearchParams() }
    : { path: url.slice(0, mark), query: new URLSearchParams(url.slice(mark + 1)) };
}

function send(response: ServerResponse, answer: Answer, method: string | undefined): void {
  for (const warning of answer.warnings ?? [])
    response.appendHeader(
      'Warning',
      `299 - "${warning
        .replaceAll('\\', '\\\\')
        .replaceAll('"', '\\"')
        .replace(/[^\x20-\x7e]/g, '?')}"`,
    );
  response.writeHead(answer.code, {
    'Content-Type': answer.contentType,
    'Content-Length': Buffer.byteLength(answer.body),
    'Cache-Control': 'no-cache, private',
    ...answer.headers,
  });
  response.end(method === 'HEAD' ? undefined : answer.body);
}
