import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Resource } from '#kube-api';
import { ApiError } from '../errors.ts';
import type { KubeClient, ListOptions, PatchType } from '../ports.ts';

/**
 * A KubeClient served over plain HTTP on a loopback port, so that the HTTP client has a server to be tested against.
 * It does not know which kinds exist: it takes the path's word.
 */
export async function serveKubeClient(
  client: KubeClient,
  port = 0,
): Promise<{ readonly url: string; readonly server: Server } & AsyncDisposable> {
  const server = createServer((request, response) => {
    answer(client, request, response).catch((error: unknown) => refuse(response, error));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(client: KubeClient, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://server');
  const { resource, namespace, name, subresource } = parsePath(url.pathname);
  const object = { name: name ?? '', ...(namespace === undefined ? {} : { namespace }) };
  const body = await readJson(request);
  const send = (status: number, value: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(value ?? { kind: 'Status', status: 'Success' }));
  };
  switch (request.method) {
    case 'GET':
      if (url.searchParams.has('watch'))
        return stream(client, resource, listOptions(url, namespace), url, response);
      if (name !== undefined) return send(200, await client.get(resource, object));
      return send(200, asList(await client.list(resource, listOptions(url, namespace)), url));
    case 'POST':
      if (name === undefined) return send(201, await client.create(resource, body));
      return send(201, await client.post(resource, object, subresource as 'binding', body));
    case 'PUT':
      return send(200, await client.update(resource, body, subresource as 'status'));
    case 'PATCH': {
      const type = /^application\/(.*)-patch\+/.exec(request.headers['content-type'] ?? '')?.[1];
      return send(
        200,
        await client.patch(resource, object, type as PatchType, body, subresource as 'status'),
      );
    }
    case 'DELETE':
      return send(200, await client.delete(resource, object, body as object));
    default:
      return send(405, undefined);
  }
}

async function stream(
  client: KubeClient,
  resource: Resource<unknown>,
  options: ListOptions,
  url: URL,
  response: ServerResponse,
): Promise<void> {
  const abort = new AbortController();
  response.on('close', () => abort.abort(new Error('the client went')));
  const resourceVersion = url.searchParams.get('resourceVersion') ?? '';
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  try {
    for await (const event of client.watch(resource, { ...options, resourceVersion, signal: abort.signal })) {
      const object =
        event.type === 'BOOKMARK' ? { metadata: { resourceVersion: event.resourceVersion } } : event.object;
      response.write(`${JSON.stringify({ type: event.type, object })}\n`);
    }
    response.end();
  } catch (error) {
    if (error instanceof ApiError)
      response.end(`${JSON.stringify({ type: 'ERROR', object: statusOf(error) })}\n`);
    else response.destroy();
  }
}

/** Pages as the real server makes them; the token is simply where the next one starts. */
function asList(
  list: { readonly items: readonly unknown[]; readonly resourceVersion: string },
  url: URL,
): unknown {
  const start = Number(url.searchParams.get('continue') ?? 0);
  const end = start + Number(url.searchParams.get('limit') ?? list.items.length);
  const rest = end < list.items.length ? { continue: String(end) } : {};
  return {
    metadata: { resourceVersion: list.resourceVersion, ...rest },
    items: list.items.slice(start, end),
  };
}

function listOptions(url: URL, namespace: string | undefined): ListOptions {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    labelSelector: url.searchParams.get('labelSelector') ?? '',
    fieldSelector: url.searchParams.get('fieldSelector') ?? '',
  };
}

function parsePath(path: string): {
  readonly resource: Resource<unknown>;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
} {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '');
  const [version = '', ...rest] = parts.slice(group === '' ? 1 : 2);
  const namespaced =
    rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'finalize' && rest[2] !== 'status';
  const [plural = '', name, subresource] = namespaced ? rest.slice(2) : rest;
  const kind = KINDS[plural] ?? plural;
  return {
    resource: { group, version, plural, kind, namespaced: !['Namespace', 'Node'].includes(kind) },
    namespace: namespaced ? rest[1] : undefined,
    name,
    subresource,
  };
}

const KINDS: Readonly<Record<string, string>> = {
  namespaces: 'Namespace',
  nodes: 'Node',
  pods: 'Pod',
  configmaps: 'ConfigMap',
};

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString('utf8');
  return text === '' ? undefined : JSON.parse(text);
}

function refuse(response: ServerResponse, error: unknown): void {
  if (!(error instanceof ApiError)) return void response.destroy();
  response.writeHead(error.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(statusOf(error)));
}

function statusOf({ status, reason, message, details }: ApiError): object {
  return { kind: 'Status', status: 'Failure', code: status, reason, message, details };
}
