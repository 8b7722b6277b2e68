import type { IpAddress, MacAddress } from '#ip';
import { parseMac } from '#ip';
import { KernelError } from '../errors.ts';
import type { InterfaceAddress } from '../ports/addresses.ts';
import type { ConntrackEntry } from '../ports/conntrack.ts';
import type { FdbEntry } from '../ports/fdb.ts';
import type { IpvsConnection, IpvsDestination, IpvsService, IpvsTimeouts } from '../ports/ipvs.ts';
import type { LinkKind, VxlanOptions } from '../ports/links.ts';
import type { NetworkEvent, NetworkEventKind } from '../ports/monitor.ts';
import type { Neighbour } from '../ports/neighbours.ts';
import type { NftElement } from '../ports/nft.ts';
import type { Route } from '../ports/routes.ts';

export interface FakeLink {
  readonly kind: LinkKind;
  netns: NamespaceState;
  index: number;
  name: string;
  mac: MacAddress;
  mtu: number;
  up: boolean;
  master: FakeLink | undefined;
  peer: FakeLink | undefined;
  alias: string | undefined;
  hairpin: boolean;
  flooded: boolean;
  vxlan: VxlanOptions | undefined;
}

export interface FakeNftSet {
  readonly map: boolean;
  readonly timeout: boolean;
  /** By key in hexadecimal. */
  readonly elements: Map<string, NftElement>;
}

export interface FakeNftTable {
  readonly sets: Map<string, FakeNftSet>;
  readonly chains: Set<string>;
}

export interface FakeIpvsService {
  readonly service: IpvsService;
  /** By address and port. */
  readonly destinations: Map<string, IpvsDestination>;
}

/** What Linux keeps for one network namespace, as far as the fake models it. */
export class NamespaceState {
  readonly inode: number;
  readonly links = new Map<string, FakeLink>();
  readonly addresses: InterfaceAddress[] = [];
  /** Routes somebody added; those the kernel makes for addresses are computed. */
  readonly routes: Route[] = [];
  readonly neighbours: Neighbour[] = [];
  readonly announcements: { readonly link: string; readonly address: IpAddress; readonly mac: MacAddress }[] =
    [];
  readonly fdb: FdbEntry[] = [];
  readonly sysctls = new Map<string, string>();
  readonly nftTables = new Map<string, FakeNftTable>();
  readonly nftScripts: string[] = [];
  /** Rules of each chain of `VARIANT FAMILY TABLE`. */
  readonly iptables = new Map<string, ReadonlyMap<string, readonly string[]>>();
  readonly conntrack: ConntrackEntry[] = [];
  ipvsAvailable = true;
  /** By protocol, address and port. */
  readonly ipvsServices = new Map<string, FakeIpvsService>();
  readonly ipvsConnections: IpvsConnection[] = [];
  ipvsTimeouts: IpvsTimeouts = { tcp: 900, tcpFin: 120, udp: 300 };
  readonly listeners = new Set<{
    readonly kinds: readonly NetworkEventKind[];
    readonly listener: (event: NetworkEvent) => void;
  }>();
  /** Handles and pins that keep it alive. */
  users = 0;
  #nextIndex = 1;

  constructor(inode: number) {
    this.inode = inode;
    this.insert({
      ...BLANK,
      netns: this,
      kind: 'loopback',
      name: 'lo',
      mac: parseMac('00:00:00:00:00:00'),
      mtu: 65536,
    });
  }

  /** Puts a link in, giving it an index. */
  insert(link: Omit<FakeLink, 'index'>): FakeLink {
    const placed: FakeLink = Object.assign(link, { netns: this, index: this.#nextIndex++ });
    this.links.set(placed.name, placed);
    this.emit('link', 'new', placed.index);
    return placed;
  }

  requireLink(name: string, operation: string, object: string): FakeLink {
    const link = this.links.get(name);
    if (link === undefined)
      throw new KernelError({ errno: 'ENODEV', operation, object, detail: `there is no link ${name}` });
    return link;
  }

  /** Takes a link out with all that stands on it; ports of a bridge become free. */
  remove(link: FakeLink): void {
    this.links.delete(link.name);
    this.forget(link);
    for (const other of this.links.values()) if (other.master === link) release(other);
    this.emit('link', 'del', link.index);
  }

  forget(link: FakeLink): void {
    drop(this.addresses, ({ link: name }) => name === link.name);
    drop(this.neighbours, ({ link: name }) => name === link.name);
    drop(this.fdb, ({ link: name }) => name === link.name);
    this.dropRoutes(link);
  }

  /** A link that goes down takes its routes with it. */
  dropRoutes(link: FakeLink): void {
    drop(this.routes, ({ link: name }) => name === link.name);
  }

  isLocal(address: IpAddress): boolean {
    return this.addresses.some((own) => own.address === address);
  }

  release(): void {
    if (--this.users > 0) return;
    for (const link of [...this.links.values()]) {
      this.remove(link);
      link.peer?.netns.remove(link.peer);
    }
  }

  /** Listeners hear of a change after the call that made it. */
  emit(kind: NetworkEventKind, change: 'new' | 'del', ifindex: number): void {
    for (const entry of this.listeners)
      if (entry.kinds.includes(kind))
        queueMicrotask(() => this.listeners.has(entry) && entry.listener({ kind, change, ifindex }));
  }
}

export const BLANK = {
  up: false,
  mtu: 1500,
  master: undefined,
  peer: undefined,
  alias: undefined,
  hairpin: false,
  flooded: false,
  vxlan: undefined,
} as const;

export function enslave(port: FakeLink, bridge: FakeLink): void {
  port.master = bridge;
  port.flooded = true;
}

export function release(port: FakeLink): void {
  port.master = undefined;
  port.hairpin = false;
  port.flooded = false;
}

/** Removes what matches; true when something did. */
export function drop<T>(list: T[], matches: (item: T) => boolean): boolean {
  const before = list.length;
  for (let i = list.length - 1; i >= 0; i--) {
    const item = list[i];
    if (item !== undefined && matches(item)) list.splice(i, 1);
  }
  return list.length < before;
}
