import { mkdirSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { EVENTS, type Resource } from '#kube-api';
import { type Clock, type Random, systemClock, systemRandom } from '#runtime';
import { identify } from '../auth/identify.ts';
import { TokenSigner } from '../auth/tokens.ts';
import { Discovery } from '../http/discovery.ts';
import { HttpHandler } from '../http/handler.ts';
import { REVIEWS } from '../http/reviews.ts';
import { Router } from '../http/route.ts';
import { inProcessClient, type ServedObjects } from '../in-process-client.ts';
import { KINDS } from '../kinds/index.ts';
import type { Kind } from '../registry/kind.ts';
import { Registry } from '../registry/registry.ts';
import { ServiceAllocator } from '../registry/service-allocator.ts';
import { pathNotFound } from '../status.ts';
import { Database } from '../storage/database.ts';
import { Store } from '../storage/store.ts';
import { bootstrap } from './bootstrap.ts';
import { expireEvents } from './event-expiry.ts';
import type { ApiServerOptions, Listen, TlsOptions } from './options.ts';

const SERVED = [...KINDS, ...REVIEWS];

/** A running API server. Disposing it closes the listeners, every connection, and the database. */
export interface ApiServer extends AsyncDisposable, ServedObjects {
  /** Where it listens, in the order of `options.listen`. */
  readonly addresses: readonly AddressInfo[];
}

/** Opens the database, makes what every cluster has, and serves. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const clock: Clock = options.clock ?? systemClock;
  const random: Random = options.random ?? systemRandom;
  await using cleanup = new AsyncDisposableStack();
  mkdirSync(options.stateDir, { recursive: true, mode: 0o700 });
  const database = cleanup.use(new Database(join(options.stateDir, 'apiserver.sqlite')));
  const store = new Store(database);
  const services = new ServiceAllocator(store, options.serviceCidrs, random);
  const registry = new Registry({ store, services, clock, random });
  const router = new Router(KINDS);
  const kindOf = (resource: Resource<unknown>): Kind => {
    const kind = router.find(resource.group, resource.version, resource.plural);
    if (kind === undefined) throw pathNotFound();
    return kind;
  };
  bootstrap(registry, kindOf, options);
  const tokens = new TokenSigner(options.tls.key, clock);
  const handler = new HttpHandler({
    registry,
    router,
    discovery: new Discovery(SERVED),
    openApi: async (path, accept) => {
      const { answerOpenApi } = await import('../openapi/answer.ts');
      return answerOpenApi(SERVED, path, accept);
    },
    kubeletSocket: options.kubeletSocket,
    identify: (request) => identify(request, tokens, registry),
    tokens,
    clock,
    random,
    logger: options.logger,
  });
  const servers = await Promise.all(options.listen.map((where) => listen(where, options.tls, handler)));
  for (const server of servers) cleanup.defer(() => close(server));
  const addresses = servers.map((server) => server.address() as AddressInfo);
  for (const { address, port } of addresses) options.logger.debug('API server listens', { address, port });
  cleanup.use(expireEvents(registry, kindOf(EVENTS), clock));
  const parts = { registry, tokens, kindOf };
  if (options.controllers === true) {
    const { startControllers } = await import('../controllers/index.ts');
    const { podCidrs, nodeCidrMaskSizes = [], tls } = options;
    const config = { podCidrs, nodeCidrMaskSizes, rootCa: tls.clientAuthority };
    const client = inProcessClient(parts);
    cleanup.use(startControllers({ client, clock, random, logger: options.logger, config }));
  }
  const resources = cleanup.move();
  return {
    ...parts,
    addresses,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function listen(where: Listen, tls: TlsOptions, handler: HttpHandler): Promise<Server> {
  const server = createServer(
    {
      cert: tls.certificate,
      key: tls.key,
      ca: tls.clientAuthority,
      requestCert: true,
      // Clients may use a token instead: each request is checked.
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      // A watch is a request without an end.
      requestTimeout: 0,
      keepAliveTimeout: 60_000,
    },
    handler.request,
  );
  server.on('upgrade', handler.upgrade);
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  server.setTimeout(0);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen('fd' in where ? { fd: where.fd } : { host: where.address, port: where.port }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
