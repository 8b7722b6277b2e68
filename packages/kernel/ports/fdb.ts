import type { IpAddress, MacAddress } from '#ip';

export interface FdbEntry {
  readonly link: string;
  readonly mac: MacAddress;
  /** VXLAN: the remote endpoint. */
  readonly destination: IpAddress | undefined;
}

export interface FdbPort {
  list(filter?: { readonly link?: string }): readonly FdbEntry[];
  replace(entry: FdbEntry): void;
  delete(entry: FdbEntry): void;
}
