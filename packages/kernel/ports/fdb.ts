import type { IpAddress, MacAddress } from '#ip';

export interface FdbEntry {
  readonly link: string;
  readonly mac: MacAddress;
  /** VXLAN: the remote endpoint. */
  readonly destination: IpAddress | undefined;
}

/** The forwarding database of bridges and VXLAN links (bridge(8)): by which port, or to which remote end, a MAC address is reached. */
export interface FdbPort {
  list(filter?: { readonly link?: string }): readonly FdbEntry[];
  /** A MAC address has one entry; the all-zeros one of VXLAN several, for what no other entry is for. `ENODEV` without the link. */
  replace(entry: FdbEntry): void;
  /** Nothing there is not an error. */
  delete(entry: FdbEntry): void;
}
