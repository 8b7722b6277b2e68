import type { AddressPort } from './addresses.ts';
import type { ConntrackPort } from './conntrack.ts';
import type { FdbPort } from './fdb.ts';
import type { IptablesPort } from './iptables.ts';
import type { IpvsPort } from './ipvs.ts';
import type { LinkPort } from './links.ts';
import type { NetworkEvent, NetworkEventKind } from './monitor.ts';
import type { NeighbourPort } from './neighbours.ts';
import type { NftPort } from './nft.ts';
import type { RoutePort } from './routes.ts';
import type { ShapingPort } from './shaping.ts';
import type { SysctlPort } from './sysctl.ts';

export interface NetworkNamespace extends Disposable {
  readonly links: LinkPort;
  readonly addresses: AddressPort;
  readonly routes: RoutePort;
  readonly neighbours: NeighbourPort;
  readonly fdb: FdbPort;
  readonly sysctl: SysctlPort;
  readonly nft: NftPort;
  readonly iptables: IptablesPort;
  readonly conntrack: ConntrackPort;
  readonly ipvs: IpvsPort;
  readonly shaping: ShapingPort;
  /** The namespace's identity: inode of its nsfs file, equal for two handles on one namespace. */
  readonly inode: number;
  /** Runs `section` with the calling thread inside the namespace: synchronous, must not await, returns outside again. */
  run<T>(section: () => T): T;
  /**
   * Runs `section`, and sends the changes it makes to links, addresses, routes and shaping together: when it ends, or before what
   * makes or deletes a link, or asks something. One that the kernel refuses throws no later than that; those after it may have been made.
   */
  batch<T>(section: () => T): T;
  /**
   * Reports changes of the kinds (links, addresses and routes unless told) until disposed; `overrun` means events were
   * lost: list again. It does not keep the process alive.
   */
  monitor(listener: (event: NetworkEvent) => void, kinds?: readonly NetworkEventKind[]): Disposable;
}
