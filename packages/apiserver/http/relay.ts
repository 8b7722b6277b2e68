import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { asString, at, type JsonObject } from '#kube-api';
import { errorMessage } from '#runtime';
import type { Subresource } from '../registry/kind.ts';
import { badRequest, StatusError, unavailable } from '../status.ts';
import { failure } from './answer.ts';

/** The kubelet's path for a Pod's streaming subresource. Source: pkg/registry/core/pod/strategy.go LogLocation, streamLocation. */
export function kubeletPath(pod: JsonObject, subresource: Subresource, query: URLSearchParams): string {
  const namespace = asString(at(pod, 'metadata', 'namespace')) ?? '';
  const name = asString(at(pod, 'metadata', 'name')) ?? '';
  if ((asString(at(pod, 'spec', 'nodeName')) ?? '') === '')
    throw badRequest(`pod ${name} does not have a host assigned`);
  const path = [namespace, name].map(encodeURIComponent).join('/');
  const rest = new URLSearchParams(query);
  rest.delete('container');
  switch (subresource) {
    case 'log':
      return withQuery(`/containerLogs/${path}/${encodeURIComponent(containerOf(pod, query))}`, rest);
    case 'exec':
    case 'attach': {
      const streams = new URLSearchParams();
      for (const [from, to] of [
        ['stdin', 'input'],
        ['stdout', 'output'],
        ['stderr', 'error'],
        ['tty', 'tty'],
      ] as const)
        if (['true', '1'].includes(query.get(from) ?? '')) streams.set(to, '1');
      for (const argument of query.getAll('command')) streams.append('command', argument);
      return withQuery(`/${subresource}/${path}/${encodeURIComponent(containerOf(pod, query))}`, streams);
    }
    case 'portforward':
      return withQuery(`/portForward/${path}`, rest);
    default:
      throw badRequest(`${subresource} is not a stream`);
  }
}

function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

function containerOf(pod: JsonObject, query: URLSearchParams): string {
  const name = asString(at(pod, 'metadata', 'name')) ?? '';
  const names = (['containers', 'initContainers', 'ephemeralContainers'] as const).map((list) => {
    const containers = at(pod, 'spec', list);
    return Array.isArray(containers) ? containers.flatMap((item) => asString(at(item, 'name')) ?? []) : [];
  });
  const given = query.get('container');
  const main = names[0] ?? [];
  if (given !== null && given !== '') {
    if (!names.flat().includes(given)) throw badRequest(`container ${given} is not valid for pod ${name}`);
    return given;
  }
  const annotated = asString(at(pod, 'metadata', 'annotations', 'kubectl.kubernetes.io/default-container'));
  if (annotated !== undefined && main.includes(annotated)) return annotated;
  const [only, ...others] = main;
  if (only === undefined || others.length > 0)
    throw badRequest(
      `a container name must be specified for pod ${name}, choose one of: [${main.join(' ')}]`,
    );
  return only;
}

const HOP_HEADERS = new Set([
  'connection',
  'host',
  'authorization',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

function forwardedHeaders(request: IncomingMessage, upgrade: boolean): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { host: 'kubelet' };
  for (const [name, value] of Object.entries(request.headers))
    if (
      value !== undefined &&
      (!HOP_HEADERS.has(name) || (upgrade && (name === 'connection' || name === 'upgrade')))
    )
      headers[name] = value;
  return headers;
}

/** Relays a plain request (logs, and streams that did not ask for an upgrade) and streams the answer back. */
export function relayRequest(
  socketPath: string,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const upstream = httpRequest(
    { socketPath, path, method: request.method, headers: forwardedHeaders(request, false) },
    (answer) => {
      const contentType = answer.headers['content-type'];
      if (
        request.method === 'GET' &&
        (answer.statusCode ?? 500) >= 400 &&
        contentType?.includes('json') !== true
      )
        return answerAsStatus(answer, response);
      response.writeHead(answer.statusCode ?? 502, {
        ...(contentType !== undefined && { 'Content-Type': contentType }),
      });
      // A follower must see the first line as soon as it is there, and the header before it.
      response.flushHeaders();
      answer.pipe(response);
      answer.once('error', () => response.destroy());
    },
  );
  upstream.once('error', (error) => {
    if (response.headersSent) return void response.destroy();
    sendFailure(response, unavailable(`the kubelet cannot be reached: ${errorMessage(error)}`));
  });
  response.once('close', () => upstream.destroy());
  request.pipe(upstream);
}

const MAX_FAILURE_TEXT = 4096;

function answerAsStatus(answer: IncomingMessage, response: ServerResponse): void {
  let text = '';
  answer.setEncoding('utf8');
  answer.on('data', (chunk: string) => {
    if (text.length < MAX_FAILURE_TEXT) text += chunk;
  });
  answer.once('end', () => {
    const code = answer.statusCode ?? 500;
    const reason = code === 404 ? 'NotFound' : code === 400 ? 'BadRequest' : 'InternalError';
    sendFailure(response, new StatusError(code, reason, text.trim() || `the kubelet answered ${code}`));
  });
}

function sendFailure(response: ServerResponse, error: StatusError): void {
  const answer = failure(error.status);
  response.writeHead(answer.code, { 'Content-Type': answer.contentType });
  response.end(answer.body);
}

/** Relays an upgrade (SPDY/3.1, WebSocket) byte for byte; what the kubelet refuses goes back as it is. */
export function relayUpgrade(
  socketPath: string,
  path: string,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const upstream = httpRequest({
    socketPath,
    path,
    method: request.method,
    headers: forwardedHeaders(request, true),
  });
  upstream.once('upgrade', (answer, upstreamSocket, upstreamHead) => {
    socket.write(rawHead(101, answer));
    if (upstreamHead.length > 0) socket.write(upstreamHead);
    if (head.length > 0) upstreamSocket.write(head);
    upstreamSocket.pipe(socket);
    socket.pipe(upstreamSocket);
    const end = () => {
      socket.destroy();
      upstreamSocket.destroy();
    };
    for (const side of [socket, upstreamSocket]) side.once('error', end).once('close', end);
  });
  upstream.once('response', (answer) => {
    socket.write(rawHead(answer.statusCode ?? 502, answer));
    answer.pipe(socket);
  });
  upstream.once('error', (error) => {
    if (socket.destroyed) return;
    socket.end(rawFailure(unavailable(`the kubelet cannot be reached: ${errorMessage(error)}`)));
  });
  socket.once('error', () => upstream.destroy());
  upstream.end();
}

function rawHead(code: number, answer: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${code} ${answer.statusMessage ?? ''}`];
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2) {
    const name = answer.rawHeaders[i] ?? '';
    if (code !== 101 && ['connection', 'transfer-encoding'].includes(name.toLowerCase())) continue;
    lines.push(`${name}: ${answer.rawHeaders[i + 1] ?? ''}`);
  }
  if (code !== 101) lines.push('Connection: close');
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A failure as raw HTTP, for sockets that have left the HTTP server. */
export function rawFailure(error: StatusError): string {
  const { code, body, contentType } = failure(error.status);
  return `HTTP/1.1 ${code} ${error.status.reason ?? ''}\r\nContent-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${String(body)}`;
}
