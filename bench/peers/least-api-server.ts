import { writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Service } from '#kube-api';

/** Anything with metadata. */
export type KubeObject = Pick<Service, 'metadata'>;

export interface Listing {
  readonly apiVersion: string;
  /** Of one item. */
  readonly kind: string;
  readonly items: readonly KubeObject[];
}

const MARK = 'k8s.io/initial-events-end';

/**
 * The least of an API server that a watching program takes: lists in pages, watches, lists by a watch (KEP-3157), single objects; nothing is written.
 * On 127.0.0.1, without TLS.
 */
export class LeastApiServer implements Disposable {
  readonly #listings: ReadonlyMap<string, Listing>;
  readonly #watches = new Map<string, ServerResponse[]>();
  readonly #server = createServer((request, response) => this.#answer(request.url ?? '/', response));

  /** @param listings by path: `/api/v1/services` */
  constructor(listings: Readonly<Record<string, Listing>>) {
    this.#listings = new Map(Object.entries(listings));
  }

  /** @returns its URL */
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Tells everyone who watches `path` that an object is another one now. */
  modify(path: string, object: KubeObject): void {
    const listing = this.#listings.get(path);
    if (listing === undefined) throw new Error(`nothing is listed at ${path}`);
    for (const watch of this.#watches.get(path) ?? []) watch.write(event('MODIFIED', listing, object));
  }

  [Symbol.dispose](): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(path: string, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(path, 'http://server');
    response.setHeader('content-type', 'application/json');
    const listing = this.#listings.get(pathname);
    if (listing === undefined) this.#answerObject(pathname, response);
    else if (searchParams.has('watch'))
      this.#watch(pathname, listing, searchParams.get('sendInitialEvents') === 'true', response);
    else {
      const from = Number(searchParams.get('continue') ?? 0);
      const to = from + Number(searchParams.get('limit') ?? listing.items.length);
      response.end(
        JSON.stringify({
          apiVersion: listing.apiVersion,
          kind: `${listing.kind}List`,
          metadata: { resourceVersion: '1', ...(to < listing.items.length && { continue: String(to) }) },
          items: listing.items.slice(from, to),
        }),
      );
    }
  }

  #watch(pathname: string, listing: Listing, initially: boolean, response: ServerResponse): void {
    this.#watches.set(pathname, [...(this.#watches.get(pathname) ?? []), response]);
    response.flushHeaders();
    if (!initially) return;
    for (const item of listing.items) response.write(event('ADDED', listing, item));
    response.write(
      event('BOOKMARK', listing, { metadata: { resourceVersion: '1', annotations: { [MARK]: 'true' } } }),
    );
  }

  #answerObject(path: string, response: ServerResponse): void {
    const at = path.lastIndexOf('/');
    const listing = this.#listings.get(path.slice(0, at));
    const object = listing?.items.find(({ metadata }) => metadata?.name === path.slice(at + 1));
    if (listing === undefined || object === undefined) response.writeHead(404).end('{}');
    else response.end(JSON.stringify({ apiVersion: listing.apiVersion, kind: listing.kind, ...object }));
  }
}

function event(type: string, { apiVersion, kind }: Listing, object: KubeObject): string {
  return `${JSON.stringify({ type, object: { apiVersion, kind, ...object } })}\n`;
}

/** Writes a kubeconfig for it. @returns its path */
export function kubeconfigFor(server: string, directory: string): string {
  const path = join(directory, 'kubeconfig');
  writeFileSync(
    path,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      users: [{ name: 'u', user: {} }],
      'current-context': 'c',
    }),
  );
  return path;
}
