import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { hostInUrl } from '#ip';

/** Listens on every address, IPv6 ones too where there are any. */
export function listenHttp(
  port: number,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Server> {
  const server = createServer(handler);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: '::', ipv6Only: false }, () => resolve(server));
  }).catch(
    () =>
      new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ port, host: '0.0.0.0' }, () => resolve(server));
      }),
  ) as Promise<Server>;
}

/** `ADDRESS:PORT` of the other side, an IPv4 address in its own form. */
export function clientAddress(request: IncomingMessage): string {
  const address = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return `${hostInUrl(address)}:${request.socket.remotePort ?? 0}`;
}
