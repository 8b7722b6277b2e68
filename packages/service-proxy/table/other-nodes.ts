import type { IpAddress } from '#ip';

/** The addresses that the cluster's other nodes have by themselves. */
export class OtherNodes {
  readonly #byNode = new Map<string, readonly IpAddress[]>();
  /** How many nodes say that they have it. */
  readonly #nodes = new Map<IpAddress, number>();

  has(address: IpAddress): boolean {
    return this.#nodes.has(address);
  }

  /** @param addresses none: the node is gone. @returns those that came or went */
  set(node: string, addresses: readonly IpAddress[]): ReadonlySet<IpAddress> {
    const before = new Set(this.#byNode.get(node));
    const after = new Set(addresses);
    if (after.size === 0) this.#byNode.delete(node);
    else this.#byNode.set(node, [...after]);
    const changed = new Set<IpAddress>();
    for (const [address, change] of [
      ...[...after.difference(before)].map((address) => [address, 1] as const),
      ...[...before.difference(after)].map((address) => [address, -1] as const),
    ]) {
      const had = this.has(address);
      const count = (this.#nodes.get(address) ?? 0) + change;
      if (count === 0) this.#nodes.delete(address);
      else this.#nodes.set(address, count);
      if (had !== this.has(address)) changed.add(address);
    }
    return changed;
  }
}
