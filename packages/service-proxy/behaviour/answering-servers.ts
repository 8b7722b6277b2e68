import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { familyOf, type IpAddress } from '#ip';
import { bindIn, type NetworkNamespace } from '#kernel';

/** Servers that answer on TCP and UDP with their name and the client's address as they see it. */
export class AnsweringServers implements Disposable {
  readonly #closers: (() => void)[] = [];
  readonly #answered = new Set<Socket>();

  async start(name: string, netns: NetworkNamespace, address: IpAddress, port: number): Promise<void> {
    const tcp = createServer((socket) => {
      // One whose client's packets come no longer would keep the process.
      this.#answered.add(socket);
      socket.on('close', () => this.#answered.delete(socket)).on('error', () => {});
      socket.end(`${name} ${socket.remoteAddress}`);
    });
    tcp.listen({ fd: bindIn(netns, { protocol: 'tcp', address, port }) });
    const udp = createSocket(familyOf(address) === 'IPv4' ? 'udp4' : 'udp6');
    udp.on('message', (_, from) => udp.send(`${name} ${from.address}`, from.port, from.address));
    udp.bind({ fd: bindIn(netns, { protocol: 'udp', address, port }) });
    this.#closers.push(
      () => tcp.close(),
      () => udp.close(),
    );
    await once(tcp, 'listening'); // a UDP socket that takes over a descriptor is ready at once
  }

  [Symbol.dispose](): void {
    for (const close of this.#closers) close();
    for (const socket of this.#answered) socket.destroy();
  }
}
