import { once } from 'node:events';
import { createServer } from 'node:net';
import { systemRandom } from './random.ts';

/** Below those that the kernel gives to whoever asks for any (net.ipv4.ip_local_port_range): nobody gets it by chance. */
const FIRST = 10_000;
const COUNT = 20_000;

/** For tests that must name a TCP port before somebody listens on it: one that nobody has just now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(systemRandom.next() * COUNT);
    const server = createServer().listen(port);
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
