import type { IpAddress } from '#ip';

/** A client's connection, whether an endpoint has taken it yet or not. */
export interface OpenConnection {
  reset(): void;
}

/** Clients' connections by the Service address that they came to: they outlive the listener, and end with the address. */
export class OpenConnections {
  readonly #connections = new Map<IpAddress, Set<OpenConnection>>();

  add(address: IpAddress, connection: OpenConnection): void {
    const connections = this.#connections.get(address) ?? new Set();
    this.#connections.set(address, connections.add(connection));
  }

  delete(address: IpAddress, connection: OpenConnection): void {
    const connections = this.#connections.get(address);
    connections?.delete(connection);
    if (connections?.size === 0) this.#connections.delete(address);
  }

  reset(address: IpAddress): void {
    for (const connection of this.#connections.get(address) ?? []) connection.reset();
  }
}
