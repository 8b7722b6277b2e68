import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { type IpAddress, parseIp } from '#ip';
import { connectIn } from '#kernel';
import { type Clock, errorMessage, type Logger, PodwayError, silentLogger, systemClock } from '#runtime';
import type { Kubelet } from '../kubelet.ts';
import type { ManagedContainer } from '../pod/managed-container.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import type { Channels, StreamRequest } from '../streaming/channels.ts';
import {
  PORT_FORWARD_PROTOCOL,
  PORT_FORWARD_TUNNEL_PROTOCOL,
  type PortForwardTarget,
  servePortForward,
} from '../streaming/port-forward.ts';
import { serveAttach, serveExec } from '../streaming/run-streams.ts';
import { SPDY_COMMAND_PROTOCOL, spdyChannels } from '../streaming/spdy-channels.ts';
import { WEBSOCKET_COMMAND_PROTOCOLS, websocketChannels } from '../streaming/websocket-channels.ts';
import { readLog } from './log-reader.ts';
import { type ContainerRoute, type KubeletRoute, logOptions, parseRoute, streamRequest } from './route.ts';

export interface KubeletApiOptions {
  /** `/run/podway/kubelet.sock` */
  readonly socketPath: string;
  /** Those whose Pods it serves; looked at for each request. */
  readonly kubelets: readonly Kubelet[];
  readonly logger?: Logger;
  readonly clock?: Clock;
}

const LOCALHOST = parseIp('127.0.0.1');
const LOCALHOST6 = parseIp('::1');

/** A request that cannot be served: `status` is the HTTP code. */
class RequestError extends PodwayError {
  readonly code = 'KubeletRequest';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
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
  readonly #websockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => WEBSOCKET_COMMAND_PROTOCOLS.find((name) => offered.has(name)) ?? false,
  });

  constructor(options: KubeletApiOptions) {
    this.#kubelets = options.kubelets;
    this.#logger = options.logger ?? silentLogger;
    this.#clock = options.clock ?? systemClock;
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
      const serve = this.#session(route);
      if (request.headers.upgrade?.toLowerCase() === 'websocket')
        this.#upgradeWebSocket(request, socket, head, serve);
      else this.#upgradeSpdy(request, socket, head, serve);
    } catch (error) {
      const body = errorMessage(error);
      socket.end(
        `HTTP/1.1 ${statusOf(error)} Error\r\ncontent-type: text/plain\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      );
    }
  }

  /** What is to be served, with everything checked that can be before the upgrade. */
  #session(route: Exclude<KubeletRoute, { kind: 'containerLogs' | 'healthz' }>): Session {
    const worker = this.#findPod(route.namespace, route.pod);
    if (route.kind === 'portForward')
      return { kind: 'portForward', target: this.#forwardTarget(worker, route) };
    const container = findContainer(worker, route.container);
    const running = container.running;
    if (running === undefined) throw new RequestError(500, `container not found ("${route.container}")`);
    const request = streamRequest(route.query);
    if (route.kind === 'attach')
      return {
        kind: 'command',
        request,
        serve: (channels) => serveAttach(running, container.container.stdinOnce === true, request, channels),
      };
    const argv = route.query.getAll('command');
    if (argv.length === 0) throw new RequestError(400, 'you must specify at least one command');
    return { kind: 'command', request, serve: (channels) => serveExec(running, argv, request, channels) };
  }

  #upgradeSpdy(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    if (request.headers.upgrade?.toUpperCase() !== 'SPDY/3.1')
      throw new RequestError(400, `unable to upgrade: unsupported protocol ${request.headers.upgrade ?? ''}`);
    const offered = protocolsOf(request.headers['x-stream-protocol-version']);
    const protocol = session.kind === 'command' ? SPDY_COMMAND_PROTOCOL : PORT_FORWARD_PROTOCOL;
    // Clients of port-forward before protocols were negotiated offer none.
    if (!offered.includes(protocol) && !(session.kind === 'portForward' && offered.length === 0))
      throw new RequestError(
        403,
        `unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${protocol}]`,
      );
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    if (session.kind === 'portForward') servePortForward(socket, session.target);
    else
      spdyChannels(socket, session.request, this.#clock)
        .then((channels) => session.serve(channels))
        .catch((error: unknown) => this.#logger.debug('stream', { error: errorMessage(error) }));
  }

  /**
   * The tunnel's name has a slash, which RFC 6455 does not allow in names of subprotocols, and `ws` refuses: so it is
   * taken out of the request, and put into the answer.
   */
  #acceptTunnel(request: IncomingMessage): void {
    delete request.headers['sec-websocket-protocol'];
    const addProtocol = (headers: string[], answered: IncomingMessage) => {
      if (answered !== request) return;
      headers.push(`Sec-WebSocket-Protocol: ${PORT_FORWARD_TUNNEL_PROTOCOL}`);
      this.#websockets.off('headers', addProtocol);
    };
    this.#websockets.on('headers', addProtocol);
    request.socket.once('close', () => this.#websockets.off('headers', addProtocol));
  }

  #upgradeWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    const offered = protocolsOf(request.headers['sec-websocket-protocol']);
    const known: readonly string[] =
      session.kind === 'command' ? WEBSOCKET_COMMAND_PROTOCOLS : [PORT_FORWARD_TUNNEL_PROTOCOL];
    if (!offered.some((name) => known.includes(name)))
      throw new RequestError(
        403,
        `unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${known.join(' ')}]`,
      );
    if (session.kind === 'portForward') this.#acceptTunnel(request);
    this.#websockets.handleUpgrade(request, socket, head, (websocket: WebSocket) => {
      websocket.on('error', (error) => this.#logger.debug('stream', { error: errorMessage(error) }));
      if (session.kind === 'portForward') servePortForward(createWebSocketStream(websocket), session.target);
      else
        session
          .serve(websocketChannels(websocket, session.request))
          .catch((error: unknown) => this.#logger.debug('stream', { error: errorMessage(error) }));
    });
  }

  async #serveLog(route: ContainerRoute<'containerLogs'>, response: ServerResponse): Promise<void> {
    const worker = this.#findPod(route.namespace, route.pod);
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

  #findPod(namespace: string, name: string): PodWorker {
    const found = this.#kubelets
      .map((kubelet) => kubelet.findPod(namespace, name))
      .find((worker) => worker !== undefined);
    if (found === undefined) throw new RequestError(404, `pod "${name}" not found`);
    return found;
  }

  #forwardTarget(
    worker: PodWorker,
    route: { readonly namespace: string; readonly pod: string },
  ): PortForwardTarget {
    const { sandbox } = worker;
    if (sandbox === undefined) throw new RequestError(500, `pod "${route.pod}" is not running`);
    const clock = this.#clock;
    return {
      clock,
      podText: `${route.namespace}/${route.pod}`,
      async connect(port) {
        const timeout = new AbortController();
        using _timer = clock.setTimer(10_000, () => timeout.abort(new Error('connection timed out')));
        const connect = (host: IpAddress) => connectIn(sandbox.netns, host, port, { signal: timeout.signal });
        // The Pod's localhost, whichever family its server listens on.
        return await connect(LOCALHOST).catch((error: unknown) =>
          connect(LOCALHOST6).catch(() => {
            throw error;
          }),
        );
      },
    };
  }
}

type Session =
  | { readonly kind: 'portForward'; readonly target: PortForwardTarget }
  | {
      readonly kind: 'command';
      readonly request: StreamRequest;
      readonly serve: (channels: Channels) => Promise<void>;
    };

function findContainer(worker: PodWorker, name: string): ManagedContainer {
  const found = worker.containers.find((container) => container.name === name);
  if (found === undefined)
    throw new RequestError(404, `container "${name}" not found in pod "${worker.pod.metadata?.name ?? ''}"`);
  return found;
}

function statusOf(error: unknown): number {
  return error instanceof RequestError ? error.status : 500;
}

/** Each given in a header of its own, or all in one with commas. */
function protocolsOf(header: string | readonly string[] | undefined): readonly string[] {
  const values = header === undefined ? [] : typeof header === 'string' ? [header] : header;
  return values.flatMap((value) => value.split(',')).map((value) => value.trim());
}
