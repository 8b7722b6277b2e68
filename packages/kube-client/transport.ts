import http from 'node:http';
import https from 'node:https';
import { createSecureContext } from 'node:tls';
import { type Clock, errorMessage, InvalidInputError } from '#runtime';
import type { ClientConfig } from './config.ts';
import { ApiUnreachableError } from './errors.ts';
import { Authorization } from './token.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface HttpTransport extends Disposable {
  /** Resolves when the response's head is there. Throws ApiUnreachableError, or the signal's reason. */
  send(request: HttpRequest): Promise<http.IncomingMessage>;
}

export interface TransportOptions {
  readonly clock: Clock;
  /** From the start of a request to the response's head. Milliseconds. */
  readonly timeoutMs: number;
  readonly userAgent: string;
}

/** The kernel probes an idle connection after this long, then once a second ten times (libuv): a vanished server shows. */
const TCP_KEEPALIVE_MS = 10_000;

/** HTTP/1.1 with kept-alive connections over node:http(s): fetch would cost the agent some 15 MB more. */
export function createTransport(config: ClientConfig, options: TransportOptions): HttpTransport {
  const url = parseServer(config.server);
  const secure = url.protocol === 'https:';
  const agent = secure ? new https.Agent(tlsOptions(config)) : new http.Agent(AGENT_OPTIONS);
  const authorization = new Authorization(config.credentials, options.clock);
  const prefix = url.pathname.replace(/\/+$/, '');

  async function send(request: HttpRequest): Promise<http.IncomingMessage> {
    const header = await authorization.header();
    request.signal?.throwIfAborted();
    const response = await exchange(request, header);
    if (response.statusCode === 401) authorization.forget();
    return response;
  }

  function exchange(
    request: HttpRequest,
    authorizationHeader: string | undefined,
  ): Promise<http.IncomingMessage> {
    const where = `${request.method} ${url.origin}${prefix}${request.path}`;
    return new Promise((resolve, reject) => {
      const outgoing = (secure ? https : http).request({
        agent,
        protocol: url.protocol,
        hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
        port: url.port || (secure ? 443 : 80),
        method: request.method,
        path: prefix + request.path,
        headers: headersOf(request, authorizationHeader, options.userAgent),
      });
      outgoing.once('socket', (socket) => socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
      const timer = options.clock.setTimer(options.timeoutMs, () =>
        outgoing.destroy(new ApiUnreachableError(`${where}: no answer in ${options.timeoutMs} ms`)),
      );
      const onAbort = () => outgoing.destroy(abortReason(request.signal));
      const settled = () => timer[Symbol.dispose]();
      request.signal?.addEventListener('abort', onAbort, { once: true });
      outgoing.once('close', () => request.signal?.removeEventListener('abort', onAbort));
      outgoing.on('error', (error) => {
        settled();
        if (request.signal?.aborted) reject(request.signal.reason);
        else if (request.method === 'GET' && isStaleConnection(outgoing, error))
          resolve(exchange(request, authorizationHeader));
        else if (error instanceof ApiUnreachableError) reject(error);
        else reject(new ApiUnreachableError(`${where}: ${errorMessage(error)}`, { cause: error }));
      });
      outgoing.once('response', (response) => {
        settled();
        resolve(response);
      });
      outgoing.end(request.body);
    });
  }

  return { send, [Symbol.dispose]: () => agent.destroy() };
}

const AGENT_OPTIONS: http.AgentOptions = {
  keepAlive: true,
  keepAliveMsecs: TCP_KEEPALIVE_MS,
  scheduling: 'lifo',
  maxFreeSockets: 2,
};

function tlsOptions(config: ClientConfig): https.AgentOptions {
  const { certificate, key } = config.credentials;
  // One context for all connections: parsing the certificates for each costs time and memory.
  const secureContext = createSecureContext({
    ...(config.certificateAuthority === undefined ? {} : { ca: config.certificateAuthority }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  });
  return {
    ...AGENT_OPTIONS,
    secureContext,
    rejectUnauthorized: config.insecure !== true,
    ...(config.tlsServerName === undefined ? {} : { servername: config.tlsServerName }),
  };
}

function parseServer(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new InvalidInputError('server', server, 'must be an http or https URL');
  return url;
}

function headersOf(
  { body, contentType }: HttpRequest,
  authorization: string | undefined,
  userAgent: string,
): http.OutgoingHttpHeaders {
  return {
    accept: 'application/json',
    'user-agent': userAgent,
    ...(authorization === undefined ? {} : { authorization }),
    ...(body === undefined
      ? {}
      : { 'content-type': contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
}

/** The server closed a kept-alive connection just as we used it: nothing was done, ask again. */
function isStaleConnection(outgoing: http.ClientRequest, error: NodeJS.ErrnoException): boolean {
  return outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function abortReason(signal: AbortSignal | undefined): Error {
  return signal?.reason instanceof Error ? signal.reason : new Error('aborted');
}
