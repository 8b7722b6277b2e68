import type { Socket } from 'node:net';
import type { IpAddress } from '#ip';

/** Clients' connections by the Service address that they came to: they outlive the listener, and end with the address. */
export class OpenConnections {
  readonly #clients = new Map<IpAddress, Set<Socket>>();

  add(address: IpAddress, client: Socket): void {
    const clients = this.#clients.get(address) ?? new Set();
    this.#clients.set(address, clients.add(client));
    client.on('close', () => {
      clients.delete(client);
      if (clients.size === 0 && this.#clients.get(address) === clients) this.#clients.delete(address);
    });
  }

  reset(address: IpAddress): void {
    for (const client of this.#clients.get(address) ?? []) client.resetAndDestroy();
  }

  resetAll(): void {
    for (const address of this.#clients.keys()) this.reset(address);
  }
}
