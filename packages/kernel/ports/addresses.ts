import type { IpAddress, IpFamily } from '#ip';

export interface InterfaceAddress {
  readonly link: string;
  readonly address: IpAddress;
  readonly prefixLength: number;
  readonly scope?: 'global' | 'link' | 'host';
  /** IPv6 only: skip duplicate address detection. */
  readonly noDad?: boolean;
  /** IPv6 only: as a source it is chosen where there is no other (RFC 6724, section 5, rule 3). */
  readonly deprecated?: boolean;
}

/** Addresses of links (rtnetlink(7), RTM_*ADDR). */
export interface AddressPort {
  /** None for a link that is not there. */
  list(filter?: { readonly link?: string; readonly family?: IpFamily }): readonly InterfaceAddress[];
  /** `EEXIST` when the link has an equal one, `ENODEV` when there is no such link. */
  add(address: InterfaceAddress): void;
  /** Nothing there is not an error. */
  delete(address: Pick<InterfaceAddress, 'link' | 'address' | 'prefixLength'>): void;
}
