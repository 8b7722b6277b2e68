import { addressBits, familyOf, type IpFamily } from '#ip';
import { KernelError } from '../errors.ts';
import type { AddressPort, InterfaceAddress } from '../ports/addresses.ts';
import { drop, type NamespaceState } from './state.ts';

export class FakeAddresses implements AddressPort {
  readonly #state: NamespaceState;

  constructor(state: NamespaceState) {
    this.#state = state;
  }

  list(filter: { readonly link?: string; readonly family?: IpFamily } = {}): readonly InterfaceAddress[] {
    return this.#state.addresses.filter(
      ({ link, address }) =>
        (filter.link === undefined || link === filter.link) &&
        (filter.family === undefined || familyOf(address) === filter.family),
    );
  }

  add(address: InterfaceAddress): void {
    const failure = {
      operation: 'add address',
      object: `${address.address}/${address.prefixLength} on ${address.link}`,
    };
    const { prefixLength } = address;
    const family = familyOf(address.address);
    if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > addressBits(family))
      throw new KernelError({ errno: 'EINVAL', ...failure, detail: 'the prefix length does not fit' });
    const link = this.#state.requireLink(address.link, failure.operation, failure.object);
    const taken = this.#state.addresses.some(
      (other) =>
        other.link === address.link &&
        other.address === address.address &&
        // IPv6 has an address on a link once, whatever the length.
        (family === 'IPv6' || other.prefixLength === prefixLength),
    );
    if (taken) throw new KernelError({ errno: 'EEXIST', ...failure });
    const { noDad, deprecated, ...rest } = address;
    this.#state.addresses.push({
      ...rest,
      scope: address.scope ?? 'global',
      ...(noDad && family === 'IPv6' ? { noDad } : {}),
      ...(deprecated && family === 'IPv6' ? { deprecated } : {}),
    });
    this.#state.emit('address', 'new', link.index);
    this.#state.emit('route', 'new', link.index);
  }

  delete({ link, address, prefixLength }: Pick<InterfaceAddress, 'link' | 'address' | 'prefixLength'>): void {
    const found = drop(
      this.#state.addresses,
      (own) => own.link === link && own.address === address && own.prefixLength === prefixLength,
    );
    const index = this.#state.links.get(link)?.index;
    if (!found || index === undefined) return;
    drop(this.#state.routes, ({ source }) => source === address && !this.#state.isLocal(address));
    this.#state.emit('address', 'del', index);
  }
}
