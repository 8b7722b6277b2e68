import type { IpAddress, IpFamily } from '#ip';

export interface InterfaceAddress {
  readonly link: string;
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly scope?: 'global' | 'link' | 'host';
  /** IPv6 only: skip duplicate address detection. */
  readonly noDad?: boolean;
}

export interface AddressPort {
  list(filter?: { readonly link?: string; readonly family?: IpFamily }): readonly InterfaceAddress[];
  /** An equal address already there is `EEXIST`. */
  add(address: InterfaceAddress): void;
  /** Nothing there is not an error. */
  delete(address: Pick<InterfaceAddress, 'link' | 'address' | 'prefixLength'>): void;
}
