import type { IpAddress } from '#ip';

/** Who holds an address. Nearly always one, and then that costs one string; an owner may hold it several times. */
export class AddressOwners {
  readonly #owners = new Map<IpAddress, string | readonly string[]>();

  add(address: IpAddress, owner: string): void {
    const found = this.#owners.get(address);
    if (found === undefined) this.#owners.set(address, owner);
    else this.#owners.set(address, typeof found === 'string' ? [found, owner] : [...found, owner]);
  }

  /** Takes back one {@link add}. */
  remove(address: IpAddress, owner: string): void {
    const found = this.#owners.get(address);
    if (found === undefined) return;
    const left = typeof found === 'string' ? [found] : [...found];
    const at = left.indexOf(owner);
    if (at >= 0) left.splice(at, 1);
    const [only] = left;
    if (only === undefined) this.#owners.delete(address);
    else this.#owners.set(address, left.length === 1 ? only : left);
  }

  /** Each owner once. */
  get(address: IpAddress): readonly string[] {
    const found = this.#owners.get(address);
    return found === undefined ? [] : typeof found === 'string' ? [found] : [...new Set(found)];
  }
}
