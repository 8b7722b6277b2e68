import type { IpAddress, IpFamily, IpPrefix, MacAddress } from '#ip';
import type { IpvsPort } from './ipvs-port.ts';

/**
 * What Podway asks of the Linux network stack, in the words of its callers. Two adapters: `linux/` (rtnetlink and
 * nfnetlink through koffi, in process) and `fake/` (pure, rejects what Linux rejects). One conformance suite runs on both.
 *
 * A {@link NetworkNamespace} holds netlink sockets that were opened inside the namespace, and they go on working there
 * whatever namespace the thread is in; so its calls are short and synchronous. Only bulk nft work is asynchronous.
 *
 * Every failed call throws a KernelError with the errno name (`EEXIST`, `ENODEV`, …), the operation and its object.
 */
export interface Kernel {
  /** The namespace this process is in. */
  currentNetns(): NetworkNamespace;
  /** @param target a path (`/run/netns/x`, `/proc/123/ns/net`) */
  openNetns(path: string): NetworkNamespace;
  /** Makes a namespace and pins it at `path` (parents are created); `EEXIST` when something is mounted there. */
  createNetns(path: string): NetworkNamespace;
  /** Unpins; the namespace ends when its last user does. Nothing there is not an error. */
  deleteNetns(path: string): void;
}

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

export type NetworkEventKind = 'link' | 'address' | 'route' | 'neighbour';

export type NetworkEvent =
  | {
      readonly kind: NetworkEventKind;
      readonly change: 'new' | 'del';
      /** 0 when the kernel names no link, as for a multipath route. */
      readonly ifindex: number;
    }
  | { readonly kind: 'overrun' };

export type LinkKind = 'veth' | 'bridge' | 'dummy' | 'vxlan' | 'ifb' | 'loopback' | 'other';

export interface Link {
  readonly index: number;
  readonly name: string;
  readonly kind: LinkKind;
  readonly mac: MacAddress | undefined;
  readonly mtu: number;
  readonly up: boolean;
  /** ifindex of the bridge it is a port of. */
  readonly master: number | undefined;
  /** ifindex of a veth's other end, in that end's namespace. */
  readonly peerIndex: number | undefined;
  readonly alias: string | undefined;
  /** Bridge port: a frame may leave by the port it came in by. */
  readonly hairpin: boolean;
  /** Bridge port: gets what other ports broadcast and multicast; what the bridge's own host sends it always gets. */
  readonly flooded: boolean;
  readonly vxlan: VxlanOptions | undefined;
}

export interface VxlanOptions {
  /** 24-bit VXLAN network identifier (RFC 7348). */
  readonly vni: number;
  readonly port: number;
  readonly local: IpAddress | undefined;
  readonly link: string | undefined;
  readonly learning: boolean;
}

interface NewLink {
  readonly name: string;
  readonly mac?: MacAddress;
  readonly mtu?: number;
  readonly up?: boolean;
  readonly alias?: string;
}
export type LinkSpec =
  | (NewLink & { readonly kind: 'dummy' })
  | (NewLink & { readonly kind: 'bridge' })
  | (NewLink & { readonly kind: 'ifb' })
  | (NewLink & { readonly kind: 'vxlan'; readonly vxlan: VxlanOptions })
  | (NewLink & {
      readonly kind: 'veth';
      readonly master?: string;
      /** The other end, made in one step in another namespace when `netns` is given. */
      readonly peer: NewLink & { readonly netns?: NetworkNamespace };
    });

export interface LinkChange {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: MacAddress;
  readonly name?: string;
  readonly alias?: string;
  /** null takes it out of its bridge. */
  readonly master?: string | null;
  readonly hairpin?: boolean;
  readonly flooded?: boolean;
  /** Moves the link. */
  readonly netns?: NetworkNamespace;
}

export interface LinkPort {
  list(): readonly Link[];
  /** undefined when there is none of that name. */
  get(name: string): Link | undefined;
  add(spec: LinkSpec): void;
  set(name: string, change: LinkChange): void;
  /** Nothing there is not an error. The kernel may take tens of milliseconds (RCU grace periods). */
  delete(name: string): void;
  /** {@link delete} that resolves when the link is gone; what else the kernel waits for, it waits for on another thread. */
  deleteAsync(name: string): Promise<void>;
}

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

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw';

export interface Route {
  /** `0.0.0.0/0` or `::/0` is the default route. */
  readonly destination: IpPrefix;
  readonly type: RouteType;
  readonly gateway: IpAddress | undefined;
  readonly link: string | undefined;
  readonly source: IpAddress | undefined;
  readonly scope: 'universe' | 'link' | 'host';
  readonly table: number;
  /** Lower wins. */
  readonly metric: number;
  readonly mtu: number | undefined;
  /** rtm_protocol: who owns the route. Podway's own are {@link ROUTE_PROTOCOL_PODWAY}. */
  readonly protocol: number;
  /** RTNH_F_ONLINK: the gateway is on the link although no address says so. */
  readonly onlink: boolean;
  /** A multipath route's ways; `gateway` and `link` are undefined then. Podway makes none, others may. */
  readonly nexthops?: readonly {
    readonly link: string | undefined;
    readonly gateway: IpAddress | undefined;
    readonly weight: number;
  }[];
}

/** rtm_protocol of the routes Podway owns (unassigned in include/uapi/linux/rtnetlink.h). */
export const ROUTE_PROTOCOL_PODWAY = 93;
export const ROUTE_TABLE_MAIN = 254;

export type RouteSpec = Pick<Route, 'destination'> & Partial<Omit<Route, 'destination'>>;

export interface RoutePort {
  list(filter?: {
    readonly family?: IpFamily;
    readonly table?: number;
    readonly protocol?: number;
  }): readonly Route[];
  /** `EEXIST` when the destination, metric and table are taken. */
  add(route: RouteSpec): void;
  /** Adds, or replaces the route of the same destination, metric and table: never a moment without. */
  replace(route: RouteSpec): void;
  /** Nothing there is not an error. */
  delete(route: RouteSpec): void;
  /** The kernel's own decision for a packet (`ip route get`). Throws `ENETUNREACH` when there is none. */
  lookup(destination: IpAddress, options?: { readonly source?: IpAddress; readonly link?: string }): Route;
}

export interface Neighbour {
  readonly link: string;
  readonly address: IpAddress;
  readonly mac: MacAddress | undefined;
  readonly state: 'permanent' | 'reachable' | 'stale' | 'failed' | 'noarp' | 'other';
}

export interface NeighbourPort {
  list(filter?: { readonly link?: string; readonly family?: IpFamily }): readonly Neighbour[];
  replace(
    neighbour: Omit<Neighbour, 'state'> & {
      readonly mac: MacAddress;
      readonly state?: 'permanent' | 'noarp';
    },
  ): void;
  delete(neighbour: Pick<Neighbour, 'link' | 'address'>): void;
  /**
   * Tells the link's other hosts that this link's MAC address has the IP address: a gratuitous ARP, or an unsolicited
   * neighbour advertisement. `ENETDOWN` when the link is down.
   */
  announce(neighbour: Pick<Neighbour, 'link' | 'address'>): void;
}

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

export interface RateLimit {
  /** Bits a second. */
  readonly rate: number;
  /** Bits that may go at once after a pause. */
  readonly burst: number;
}

/** Bandwidth. What arrives by a link is limited by sending it through an `ifb` link that has a limit. */
export interface ShapingPort {
  /** Limits what leaves by the link, in place of a limit that is there. */
  limit(link: string, limit: RateLimit): void;
  /** undefined: no limit, or no link. The kernel may round both values down a little. */
  limitOf(link: string): RateLimit | undefined;
  /** Nothing there is not an error. */
  unlimit(link: string): void;
  /** Everything that arrives by `link` leaves by `target` first, and goes on as if it came by `link`. */
  redirectIngress(link: string, target: string): void;
  redirectOf(link: string): string | undefined;
  /** Nothing there is not an error. */
  unredirectIngress(link: string): void;
}

export interface SysctlPort {
  /** @param key as in sysctl(8): `net.ipv4.ip_forward`; a link name with dots is written with slashes for them. undefined: no such key */
  get(key: string): string | undefined;
  set(key: string, value: string): void;
}

/**
 * nftables. `run` takes the nft language and is one kernel transaction; text never holds unvalidated names.
 * `elements` changes map and set elements without parsing any text: for changes that must cost what changed.
 */
export interface NftPort {
  /** Applies a script in one transaction, or nothing of it. @throws KernelError with nft's own message */
  run(script: string): Promise<void>;
  /**
   * Adds and deletes elements in one transaction, in order: an element's data is changed by deleting and adding it.
   * Adding an equal element again is no error; `EEXIST` is one with other data, `ENOENT` a deleted one that is not there.
   * A transaction must fit the socket's send buffer, or it fails with `EMSGSIZE`: where the process may not raise it
   * beyond net.core.wmem_max, that is some 5,000 elements.
   */
  elements(changes: readonly NftElementChange[]): Promise<void>;
  /**
   * The elements of a map or set, without nft and without blocking: 100,000 in less than a second.
   * `ENOENT` when there is no such set.
   */
  listElements(family: NftFamily, table: string, set: string): Promise<readonly NftElement[]>;
  /** The JSON form (libnftables-json(5)) of a table, undefined when there is none. Blocks: seconds for a large table. */
  listTable(family: NftFamily, table: string): Promise<readonly unknown[] | undefined>;
  /** {@link listTable} without the elements of named sets and maps: some milliseconds, however many there are. */
  listRules(family: NftFamily, table: string): Promise<readonly unknown[] | undefined>;
  /**
   * Appends rules to a chain in one transaction, for what nft's language cannot say. `ENOENT` when the chain or a set that a rule
   * names is not there.
   */
  addRules(family: NftFamily, table: string, chain: string, rules: readonly NftRawRule[]): Promise<void>;
  /**
   * A number that is one more after each transaction of anyone in the namespace that changed anything: equal numbers mean that no rule,
   * set or element was touched in between (those that packets add or that time out are no transactions).
   */
  generation(): number;
  listTables(): Promise<readonly { readonly family: NftFamily; readonly name: string }[]>;
}

export type NftFamily = 'ip' | 'ip6' | 'inet' | 'netdev' | 'bridge' | 'arp';

/** A rule as the kernel runs it: expressions that fill and compare registers of 4 bytes, 0 to 15. */
export type NftRawRule = readonly NftExpression[];

/** Fields take as many registers as their bytes need; keys and data of sets are looked for in consecutive ones. */
export type NftExpression =
  | { readonly do: 'load'; readonly field: NftRawField; readonly to: number }
  | { readonly do: 'compare'; readonly register: number; readonly equals: Uint8Array }
  | { readonly do: 'lookup'; readonly set: string; readonly key: number }
  | {
      readonly do: 'update' | 'delete';
      readonly set: string;
      readonly key: number;
      readonly data: number;
      /** Milliseconds; 0: the set's own. */
      readonly timeout: number;
    }
  | { readonly do: 'verdict'; readonly verdict: 'drop' | 'return' };

export type NftRawField =
  | 'l4proto'
  | 'original daddr'
  | 'original dport'
  | { readonly header: 'network' | 'transport'; readonly offset: number; readonly length: number };

export interface NftElementChange {
  readonly op: 'add' | 'delete';
  readonly family: NftFamily;
  readonly table: string;
  /** A named map or set. */
  readonly set: string;
  /** Each part of the concatenated key as its bytes in network order, unpadded. */
  readonly key: readonly Uint8Array[];
  /** The last key of a range, in a set with the interval flag whose key is a concatenation. */
  readonly keyEnd?: readonly Uint8Array[];
  readonly data?: { readonly value: readonly Uint8Array[] } | { readonly verdict: NftVerdict };
  readonly comment?: string;
  /** Milliseconds, for a set with the timeout flag. */
  readonly timeout?: number;
}

/** An element as the kernel keeps it: a concatenation is one run of bytes, each field padded to 4 (see flattenNftKey). */
export interface NftElement {
  readonly key: Uint8Array;
  readonly keyEnd?: Uint8Array;
  /** In a set with the interval flag whose key is no concatenation: the range before it ends below this key. */
  readonly endsInterval?: true;
  readonly data?: { readonly value: Uint8Array } | { readonly verdict: NftVerdict };
  readonly comment?: string;
  /** Milliseconds it was given, not what is left of them. */
  readonly timeout?: number;
}

export type NftVerdict =
  | { readonly kind: 'accept' | 'drop' | 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string };

/** Which of the two kernel interfaces the programs use: nf_tables, or the older ip_tables. Rules of both are in force side by side. */
export type IptablesVariant = 'nft' | 'legacy';

/**
 * iptables, by its programs `iptables-{nft,legacy}-{save,restore}` (version 1.8 or newer) and those of ip6tables: rules as text.
 * `EPERM` without the right to change rules, `ENOENT` when the program is not installed.
 */
export interface IptablesPort {
  /** Variants whose programs are installed; first the one that the plain name `iptables` stands for. */
  variants(): readonly IptablesVariant[];
  /**
   * Names of the tables that are in use, `nat` and so on: cheap, no program runs. undefined: the kernel does not say (of variant `legacy`,
   * in a user namespace).
   */
  tables(variant: IptablesVariant, family: IpFamily): Promise<readonly string[] | undefined>;
  /** One table as iptables-save prints it. Of variant `legacy` that makes the table, without rules, if it is not in use. */
  save(variant: IptablesVariant, family: IpFamily, table: string): Promise<string>;
  /**
   * iptables-restore --noflush: a chain that the input declares is made, or emptied if it is there; built-in chains and those that it does
   * not name stay. Each table of the input, up to its COMMIT, is one transaction. It waits some seconds for others that change rules.
   * @throws KernelError with the program's own words; `EINVAL` for input that it does not take
   */
  restore(variant: IptablesVariant, family: IpFamily, input: string): Promise<void>;
  /** {@link restore} where nothing is yet, and nothing of it stays: whether the kernel takes the rules. */
  test(variant: IptablesVariant, family: IpFamily, input: string): Promise<void>;
}

export interface ConntrackTuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** IANA protocol number: 6 TCP, 17 UDP, 132 SCTP, 1 ICMP. */
  readonly protocol: number;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
}

export interface ConntrackEntry {
  readonly original: ConntrackTuple;
  readonly reply: ConntrackTuple;
  readonly mark: number;
  /** nf_conntrack status bits (include/uapi/linux/netfilter/nf_conntrack_common.h). */
  readonly status: number;
  /** Seconds until it expires. */
  readonly timeout: number;
}

/** Fields of the original direction; the kernel filters, so that a large table costs little. */
export interface ConntrackFilter {
  readonly family?: IpFamily;
  readonly protocol?: number;
  readonly destination?: IpAddress;
  readonly destinationPort?: number;
}

export interface ConntrackPort {
  list(filter?: ConntrackFilter): Promise<readonly ConntrackEntry[]>;
  /** Nothing there is not an error. */
  delete(entry: Pick<ConntrackEntry, 'original'>): void;
}
