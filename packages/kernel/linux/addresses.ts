import type { IpFamily } from '#ip';
import { KernelError } from '../errors.ts';
import {
  decodeAddress,
  encodeAddress,
  encodeAddressDump,
  isPrefixLength,
  RTM_DELADDR,
  RTM_GETADDR,
  RTM_NEWADDR,
} from '../netlink/address.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../netlink/header-flags.ts';
import type { AddressPort, InterfaceAddress } from '../ports/addresses.ts';
import type { LinkNames } from './link-names.ts';
import { listByLink } from './list-by-link.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

export class LinuxAddresses implements AddressPort {
  readonly #socket: () => NetlinkSocket;
  readonly #names: LinkNames;

  constructor(socket: () => NetlinkSocket, names: LinkNames) {
    this.#socket = socket;
    this.#names = names;
  }

  list(filter: { readonly link?: string; readonly family?: IpFamily } = {}): readonly InterfaceAddress[] {
    return listByLink(
      this.#socket(),
      this.#names,
      filter.link,
      (index) => ({
        type: RTM_GETADDR,
        body: (writer) => encodeAddressDump(writer, filter.family, index),
        operation: 'list',
        object: 'addresses',
      }),
      decodeAddress,
    );
  }

  add(address: InterfaceAddress): void {
    const operation = 'add address';
    const object = describe(address);
    if (!isPrefixLength(address.address, address.prefixLength))
      throw new KernelError({ errno: 'EINVAL', operation, object, detail: 'the prefix length does not fit' });
    const index = this.#names.index(address.link, operation, object);
    this.#socket().put({
      type: RTM_NEWADDR,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      body: (writer) => encodeAddress(writer, index, address),
      operation,
      object,
    });
  }

  delete(address: Pick<InterfaceAddress, 'link' | 'address' | 'prefixLength'>): void {
    const index = this.#names.find(address.link);
    if (index === undefined) return;
    this.#socket().executeUnless(['EADDRNOTAVAIL', 'ENODEV'], {
      type: RTM_DELADDR,
      body: (writer) => encodeAddress(writer, index, address),
      operation: 'delete address',
      object: describe(address),
    });
  }
}

function describe({ address, prefixLength, link }: InterfaceAddress): string {
  return `${address}/${prefixLength} on ${link}`;
}
