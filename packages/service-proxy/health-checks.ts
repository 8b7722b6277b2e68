import { createServer, type Server } from 'node:http';
import { errorMessage, type Logger } from '#runtime';

/** What a load balancer asks a node before it sends clients of a Service with `externalTrafficPolicy: Local`. */
export interface HealthCheck {
  readonly port: number;
  readonly localEndpoints: number;
}

/** Where the proxy says what health check node ports have to answer. */
export interface HealthChecks {
  /** @param service `namespace/name`; undefined: it has none (any more) */
  set(service: string, check: HealthCheck | undefined): void;
}

interface Listening {
  readonly server: Server;
  check: HealthCheck;
}

/**
 * HTTP on every `healthCheckNodePort`, with kube-proxy's answers: 200 while the Service has ready endpoints on this node and the proxy
 * itself is well, else 503; the body says which. A port that cannot be had is logged and left.
 */
export class HealthCheckServers implements HealthChecks, AsyncDisposable {
  readonly #listening = new Map<string, Listening>();
  readonly #logger: Logger;
  readonly #healthy: () => boolean;

  /** @param healthy whether the proxy keeps up */
  constructor(logger: Logger, healthy: () => boolean = () => true) {
    this.#logger = logger;
    this.#healthy = healthy;
  }

  set(service: string, check: HealthCheck | undefined): void {
    const known = this.#listening.get(service);
    if (check !== undefined && known?.check.port === check.port) {
      known.check = check;
      return;
    }
    known?.server.close();
    known?.server.closeAllConnections();
    this.#listening.delete(service);
    if (check === undefined) return;
    const server = createServer((_, response) => {
      const now = this.#listening.get(service)?.check.localEndpoints ?? 0;
      const [namespace, name] = service.split('/');
      const serviceProxyHealthy = this.#healthy();
      response.writeHead(now > 0 && serviceProxyHealthy ? 200 : 503, {
        'content-type': 'application/json',
        'x-content-type-options': 'nosniff',
        'x-load-balancing-endpoint-weight': String(now),
      });
      response.end(
        JSON.stringify({ service: { namespace, name }, localEndpoints: now, serviceProxyHealthy }),
      );
    });
    server.on('error', (error) =>
      this.#logger.warn('a health check node port cannot be opened', {
        service,
        port: check.port,
        error: errorMessage(error),
      }),
    );
    server.listen(check.port);
    this.#listening.set(service, { server, check });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = [...this.#listening.values()].map(
      ({ server }) =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    this.#listening.clear();
    await Promise.all(closed);
  }
}
