import type { IncomingMessage } from 'node:http';
import { apiVersionOf, isObject, type Resource, resourcePath } from '#kube-api';
import { type Clock, type Random, sleep, systemClock, systemRandom } from '#runtime';
import type { ClientConfig } from './config.ts';
import { ApiError, ApiUnreachableError, type FailureStatus } from './errors.ts';
import { metadataOf } from './metadata.ts';
import { objectPath, queryString, requireNamespace, selectorParameters } from './paths.ts';
import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectList,
  ObjectName,
  PatchType,
  WatchEvent,
  WatchOptions,
} from './ports.ts';
import { createTransport, type HttpRequest, type HttpTransport } from './transport.ts';
import { watchStream } from './watch-stream.ts';

export interface KubeClientDeps {
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface KubeClientOptions {
  /** For each request but watches, and for a watch's head. Milliseconds; 15,000 unless told. */
  readonly requestTimeoutMs?: number;
  /** A watch in which nothing (no event, no bookmark) came for so long is cut and resumed. Milliseconds; 2 minutes unless told. */
  readonly watchIdleTimeoutMs?: number;
  /** Objects a page of a list; the server may not know pages. */
  readonly pageSize?: number;
  readonly userAgent?: string;
  /** Names the writer in managedFields. */
  readonly fieldManager?: string;
}

const MAX_WATCH_LINE_BYTES = 8 << 20;
const MAX_TRIES = 5;

/** A client over HTTP. Disposing it closes its connections, running watches included. */
export function createKubeClient(
  config: ClientConfig,
  deps: KubeClientDeps = {},
  options: KubeClientOptions = {},
): KubeClient & Disposable {
  const clock = deps.clock ?? systemClock;
  const transport = createTransport(config, {
    clock,
    timeoutMs: options.requestTimeoutMs ?? 15_000,
    userAgent: options.userAgent ?? 'podway',
  });
  return new HttpKubeClient(transport, clock, deps.random ?? systemRandom, options);
}

class HttpKubeClient implements KubeClient, Disposable {
  readonly #transport: HttpTransport;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: KubeClientOptions;

  constructor(transport: HttpTransport, clock: Clock, random: Random, options: KubeClientOptions) {
    this.#transport = transport;
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
  }

  async list<T>(resource: Resource<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const query = {
        ...selectorParameters(options),
        limit: String(this.#options.pageSize ?? 500),
        continue: next,
      };
      const path = resourcePath(resource, { namespace: options.namespace }) + queryString(query);
      const page = parseList<T>(await this.#json({ method: 'GET', path }), path);
      for (const item of page.items) items.push(item);
      if (page.next === undefined) return { items, resourceVersion: page.resourceVersion };
      next = page.next;
    }
  }

  async get<T>(resource: Resource<T>, name: ObjectName): Promise<T> {
    return (await this.#json({ method: 'GET', path: objectPath(resource, name) })) as T;
  }

  async create<T>(resource: Resource<T>, object: T): Promise<T> {
    const { namespace } = metadataOf(object);
    requireNamespace(resource, namespace);
    const path = resourcePath(resource, { namespace }) + this.#writer();
    return (await this.#json({ method: 'POST', path, body: encode(resource, object) })) as T;
  }

  async update<T>(resource: Resource<T>, object: T, subresource?: 'status' | 'finalize'): Promise<T> {
    const path = objectPath(resource, metadataOf(object), subresource) + this.#writer();
    return (await this.#json({ method: 'PUT', path, body: encode(resource, object) })) as T;
  }

  async patch<T>(
    resource: Resource<T>,
    name: ObjectName,
    type: PatchType,
    body: unknown,
    subresource?: 'status' | 'scale',
  ): Promise<T> {
    const path = objectPath(resource, name, subresource) + this.#writer(type === 'apply');
    const text = type === 'apply' ? encode(resource, body) : JSON.stringify(body);
    return (await this.#json({ method: 'PATCH', path, body: text, contentType: PATCH_MEDIA[type] })) as T;
  }

  async delete<T>(resource: Resource<T>, name: ObjectName, options: DeleteOptions = {}): Promise<void> {
    const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', ...options });
    await this.#json({ method: 'DELETE', path: objectPath(resource, name), body });
  }

  post<T>(
    resource: Resource<T>,
    name: ObjectName,
    subresource: 'binding' | 'eviction' | 'token',
    body: unknown,
  ): Promise<unknown> {
    const path = objectPath(resource, name, subresource) + this.#writer();
    return this.#json({ method: 'POST', path, body: JSON.stringify(body) });
  }

  async *watch<T>(resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>, void> {
    const path =
      resourcePath(resource, { namespace: options.namespace }) +
      queryString({
        ...selectorParameters(options),
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: options.resourceVersion,
        // Five to ten minutes, as client-go's reflector asks: many clients then do not come back at once.
        timeoutSeconds: String(Math.round(300 * (1 + this.#random.next()))),
      });
    const response = await this.#transport.send({ method: 'GET', path, signal: options.signal });
    if (response.statusCode !== 200) throw await failure(response, `GET ${path}`);
    yield* watchStream<T>(response, {
      clock: this.#clock,
      signal: options.signal,
      idleTimeoutMs: this.#options.watchIdleTimeoutMs ?? 120_000,
      maxLineBytes: MAX_WATCH_LINE_BYTES,
    });
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }

  /** Sends, and tries again when the server asks for patience (429, or 503 with Retry-After). */
  async #json(request: HttpRequest): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.#transport.send(request);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return parseBody(await readText(response), request);
      const error = await failure(response, `${request.method} ${request.path}`);
      const retryAfter = Number(response.headers['retry-after'] ?? Number.NaN);
      const patience = (status === 429 || status === 503) && Number.isFinite(retryAfter);
      // An eviction refused by a disruption budget is a 429 too; whoever evicts decides when to try again.
      if (!patience || attempt === MAX_TRIES || request.path.includes('/eviction')) throw error;
      await sleep(this.#clock, retryAfter * 1000 * (1 + this.#random.next() / 4));
    }
  }

  #writer(force = false): string {
    return queryString({
      fieldManager: this.#options.fieldManager ?? 'podway',
      force: force ? 'true' : undefined,
    });
  }
}

const PATCH_MEDIA: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  'strategic-merge': 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** A body always says what it is, also when the caller's object does not. */
function encode<T>(resource: Resource<T>, object: unknown): string {
  return JSON.stringify({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...(object as object) });
}

function parseList<T>(
  body: unknown,
  path: string,
): { readonly items: readonly T[]; readonly resourceVersion: string; readonly next: string | undefined } {
  const metadata = isObject(body) ? body['metadata'] : undefined;
  const items = isObject(body) ? (body['items'] ?? []) : undefined;
  const version = isObject(metadata) ? metadata['resourceVersion'] : undefined;
  if (!isObject(metadata) || !Array.isArray(items) || typeof version !== 'string')
    throw new ApiUnreachableError(`GET ${path}: the answer is not a list`);
  const next = metadata['continue'];
  return {
    items,
    resourceVersion: version,
    next: typeof next === 'string' && next !== '' ? next : undefined,
  };
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (cause) {
    throw new ApiUnreachableError('the connection ended in the middle of an answer', { cause });
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string, request: HttpRequest): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch (cause) {
    throw new ApiUnreachableError(`${request.method} ${request.path}: the answer is not JSON`, { cause });
  }
}

async function failure(response: IncomingMessage, where: string): Promise<ApiError> {
  const text = await readText(response);
  const status = response.statusCode ?? 0;
  try {
    const body: unknown = JSON.parse(text);
    if (isObject(body) && body['kind'] === 'Status') return new ApiError(status, body as FailureStatus);
  } catch {
    // A proxy's page, or nothing at all: said below.
  }
  return new ApiError(status, { message: `${where}: HTTP ${status}: ${text.slice(0, 200)}` });
}
