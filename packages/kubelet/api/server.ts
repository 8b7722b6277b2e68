import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { type Clock, errorMessage, type Logger, silentLogger, systemClock } from '#runtime';
import type { Kubelet } from '../kubelet.ts';
import { readLog } from './log-reader.ts';
import { RequestError, statusOf } from './request-error.ts';
import { type ContainerRoute, logOptions, parseRoute } from './route.ts';
import { findContainer, findPod, openSession } from './session.ts';
import { Upgrades } from './upgrades.ts';

export interface KubeletApiOptions {
  /** `/run/podway/kubelet.sock` */
  readonly socketPath: string;
  /** Those whose Pods it serves; looked at for each request. */
  readonly kubelets: readonly Kubelet[];
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/**
 * Serves logs, exec, attach and port-forward of all nodes' Pods on a unix socket, on a real kubelet's paths. Upgrades
 * are SPDY/3.1 (kubectl up to 1.30) and WebSocket (from 1.31 on).
 */
export async function startKubeletApi(options: KubeletApiOptions): Promise<AsyncDisposable> {
  const api = new KubeletApi(options);
  const server = createServer((request, response) => void api.answer(request, response));
  const sockets = new Set<Duplex>();
  server.on('upgrade', (request, socket, head) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    api.upgrade(request, socket, head);
  });
  mkdirSync(dirname(options.socketPath), { recursive: true });
  rmSync(options.socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.socketPath, resolve);
  });
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

class KubeletApi {
  readonly #kubelets: readonly Kubelet[];
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #upgrades: Upgrades;

  constructor(options: KubeletApiOptions) {
    this.#kubelets = options.kubelets;
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
    this.#upgrades = new Upgrades(this.#logger, this.#clock);
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const route = parseRoute(request.url ?? '');
      if (route?.kind === 'healthz') {
        response.end('ok');
        return;
      }
      if (route === undefined) throw new RequestError(404, '404 page not found');
      if (route.kind !== 'containerLogs') throw new RequestError(400, 'Upgrade request required');
      await this.#serveLog(route, response);
    } catch (error) {
      this.#logger.debug('request refused', { url: request.url ?? '', error: errorMessage(error) });
      if (!response.headersSent) response.writeHead(statusOf(error), { 'content-type': 'text/plain' });
      response.end(response.headersSent ? undefined : errorMessage(error));
    }
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', (error) => this.#logger.debug('stream', { error: errorMessage(error) }));
    try {
      const route = parseRoute(request.url ?? '');
      if (route === undefined || route.kind === 'containerLogs' || route.kind === 'healthz')
        throw new RequestError(404, '404 page not found');
      const session = openSession(route, this.#kubelets, this.#clock);
      this.#upgrades.upgrade(request, socket, head, session);
    } catch (error) {
      const body = errorMessage(error);
      socket.end(
        `HTTP/1.1 ${statusOf(error)} Error\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    }
  }

  async #serveLog(route: ContainerRoute<'containerLogs'>, response: ServerResponse): Promise<void> {
    const worker = findPod(this.#kubelets, route.namespace, route.pod);
    const container = findContainer(worker, route.container);
    const options = logOptions(route.query, this.#clock.now());
    const previous = route.query.get('previous') === 'true';
    const log = container.log(previous);
    if (log === undefined) {
      if (previous)
        throw new RequestError(
          400,
          `previous terminated container "${route.container}" in pod "${route.pod}" not found`,
        );
      const { waiting } = container.view().state;
      throw new RequestError(
        400,
        `container "${route.container}" in pod "${route.pod}" is waiting to start: ${waiting?.message ?? waiting?.reason ?? 'ContainerCreating'}`,
      );
    }
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    await readLog(log, options, (text) => response.write(text), gone.signal);
    response.end();
  }
}
