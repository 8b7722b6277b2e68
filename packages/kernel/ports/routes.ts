import type { IpAddress, IpFamily, IpPrefix } from '#ip';

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

/** Routes (rtnetlink(7), RTM_*ROUTE). */
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
