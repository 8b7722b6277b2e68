import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { hostname } from 'node:os';
import type { Flags } from './flags.ts';
import { listenHttp } from './http-server.ts';

/** agnhost's serve-hostname: answers with the host's name over HTTP, TCP or UDP. */
export async function runServeHostname({ flags }: Flags): Promise<void> {
  const port = Number(flags.get('port') ?? 9376);
  const udp = flags.get('udp') === 'true';
  const tcp = flags.get('tcp') === 'true';
  if (flags.get('http') !== 'false' && !tcp && !udp)
    await listenHttp(port, (_, response) => void response.end(hostname()));
  if (tcp) createServer((socket) => socket.end(hostname())).listen(port);
  if (udp) {
    const socket = createSocket('udp4');
    socket.on('message', (_, { address, port: from }) => socket.send(hostname(), from, address));
    socket.bind(port);
  }
}
