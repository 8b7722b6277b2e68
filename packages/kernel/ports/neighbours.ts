import type { IpAddress, IpFamily, MacAddress } from '#ip';

export interface Neighbour {
  readonly link: string;
  readonly address: IpAddress;
  readonly mac: MacAddress | undefined;
  readonly state: 'permanent' | 'reachable' | 'stale' | 'failed' | 'noarp' | 'other';
}

/** Which MAC address an IP address on a link has (rtnetlink(7), RTM_*NEIGH). */
export interface NeighbourPort {
  /** None for a link that is not there. */
  list(filter?: { readonly link?: string; readonly family?: IpFamily }): readonly Neighbour[];
  /** Adds, or replaces; permanent unless told. `ENODEV` when there is no such link. */
  replace(
    neighbour: Omit<Neighbour, 'state'> & {
      readonly mac: MacAddress;
      readonly state?: 'permanent' | 'noarp';
    },
  ): void;
  /** Nothing there is not an error. */
  delete(neighbour: Pick<Neighbour, 'link' | 'address'>): void;
  /**
   * Tells the link's other hosts that this link's MAC address has the IP address: a gratuitous ARP, or an unsolicited
   * neighbour advertisement. `ENETDOWN` when the link is down.
   */
  announce(neighbour: Pick<Neighbour, 'link' | 'address'>): void;
}
