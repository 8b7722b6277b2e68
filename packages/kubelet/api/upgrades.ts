import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';
import { type Clock, errorMessage, type Logger } from '#runtime';
import {
  PORT_FORWARD_PROTOCOL,
  PORT_FORWARD_TUNNEL_PROTOCOL,
  servePortForward,
} from '../streaming/port-forward.ts';
import { SPDY_COMMAND_PROTOCOL, spdyChannels } from '../streaming/spdy-channels.ts';
import { WEBSOCKET_COMMAND_PROTOCOLS, websocketChannels } from '../streaming/websocket-channels.ts';
import { RequestError } from './request-error.ts';
import type { Session } from './session.ts';

/** Upgrades connections to SPDY/3.1 (kubectl up to 1.30) or WebSocket (from 1.31 on), and serves their sessions. */
export class Upgrades {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #websockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => WEBSOCKET_COMMAND_PROTOCOLS.find((name) => offered.has(name)) ?? false,
  });

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** @throws RequestError when nothing has been answered yet */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    if (request.headers.upgrade?.toLowerCase() === 'websocket')
      this.#upgradeWebSocket(request, socket, head, session);
    else this.#upgradeSpdy(request, socket, head, session);
  }

  #upgradeSpdy(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    if (request.headers.upgrade?.toUpperCase() !== 'SPDY/3.1')
      throw new RequestError(400, `unable to upgrade: unsupported protocol ${request.headers.upgrade ?? ''}`);
    const offered = protocolsOf(request.headers['x-stream-protocol-version']);
    const protocol = session.kind === 'command' ? SPDY_COMMAND_PROTOCOL : PORT_FORWARD_PROTOCOL;
    // Clients of port-forward before protocols were negotiated offer none.
    if (!(session.kind === 'portForward' && offered.length === 0)) requireCommon(offered, [protocol]);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
    );
    if (head.length > 0) socket.unshift(head);
    if (session.kind === 'portForward') servePortForward(socket, session.target);
    else
      spdyChannels(socket, session.request, this.#clock)
        .then((channels) => session.serve(channels))
        .catch((error: unknown) => this.#noteEnd(error));
  }

  #upgradeWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer, session: Session): void {
    const offered = protocolsOf(request.headers['sec-websocket-protocol']);
    requireCommon(
      offered,
      session.kind === 'command' ? WEBSOCKET_COMMAND_PROTOCOLS : [PORT_FORWARD_TUNNEL_PROTOCOL],
    );
    if (session.kind === 'portForward') this.#acceptTunnel(request);
    this.#websockets.handleUpgrade(request, socket, head, (websocket: WebSocket) => {
      websocket.on('error', (error) => this.#noteEnd(error));
      if (session.kind === 'portForward') servePortForward(createWebSocketStream(websocket), session.target);
      else
        session
          .serve(websocketChannels(websocket, session.request))
          .catch((error: unknown) => this.#noteEnd(error));
    });
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

  #noteEnd(error: unknown): void {
    this.#logger.debug('stream', { error: errorMessage(error) });
  }
}

function requireCommon(offered: readonly string[], accepted: readonly string[]): void {
  if (!offered.some((name) => accepted.includes(name)))
    throw new RequestError(
      403,
      `unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${accepted.join(' ')}]`,
    );
}

/** Each given in a header of its own, or all in one with commas. */
function protocolsOf(header: string | readonly string[] | undefined): readonly string[] {
  const values = header === undefined ? [] : typeof header === 'string' ? [header] : header;
  return values.flatMap((value) => value.split(',')).map((value) => value.trim());
}
