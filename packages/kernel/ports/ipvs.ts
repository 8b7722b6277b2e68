import type { IpAddress } from '#ip';

export type IpvsProtocol = 'TCP' | 'UDP' | 'SCTP';

/** A kernel scheduler's name (module ip_vs_NAME): rr wrr lc wlc lblc lblcr sh dh sed nq mh fo ovf twos. */
export type IpvsScheduler = string;

/**
 * How packets reach a destination (IP_VS_CONN_F_*): `masquerade` rewrites the destination (NAT), `direct` sends the packet as
 * it is to the destination's MAC address, `tunnel` wraps it in IP-in-IP, `local` leaves it to this host.
 */
export type IpvsForwarding = 'masquerade' | 'direct' | 'tunnel' | 'local';

export interface IpvsServiceKey {
  readonly address: IpAddress;
  /** 0: every port that no other service has, and then persistence is a must. */
  readonly port: number;
  readonly protocol: IpvsProtocol;
  /**
   * Answers every packet that carries this firewall mark, whatever it is addressed to: of address, port and protocol only the address's family
   * counts then. Listed with the unspecified address, port 0 and TCP.
   */
  readonly mark?: number;
}

/** A virtual server. */
export interface IpvsService extends IpvsServiceKey {
  readonly scheduler: IpvsScheduler;
  /** A client comes back to its destination for this long after its last connection ended; undefined: no persistence. */
  readonly persistentSeconds: number | undefined;
  /** Clients whose addresses share this many bits count as one for persistence. Left out: all bits, 32 or 128. */
  readonly persistencePrefix?: number;
  /**
   * IP_VS_SVC_F_SCHED*, whose meaning is the scheduler's: for `sh` and `mh`, sched-1 is "fall back to another destination when the
   * chosen one takes nothing", sched-2 "hash the client's port as well".
   */
  readonly schedulerFlags?: readonly IpvsSchedulerFlag[];
  /** UDP: every packet is scheduled by itself (IP_VS_SVC_F_ONEPACKET). */
  readonly onePacket?: boolean;
}

export type IpvsSchedulerFlag = 'sched-1' | 'sched-2' | 'sched-3';

/** A real server of a virtual server. */
export interface IpvsDestination {
  readonly address: IpAddress;
  readonly port: number;
  /** 0 takes no new connections; those that are there go on. */
  readonly weight: number;
  readonly forwarding: IpvsForwarding;
  /** Established ones. */
  readonly activeConnections: number;
  /** Half open, closing, or of a protocol without connections. */
  readonly inactiveConnections: number;
  /** Clients that persistence binds to this destination. */
  readonly persistentConnections: number;
  /** No new connections above this many; left out: no limit. Set by others, taken away by {@link IpvsPort.setDestination}. */
  readonly upperThreshold?: number;
  readonly lowerThreshold?: number;
}

export type IpvsDestinationKey = Pick<IpvsDestination, 'address' | 'port'>;
export type IpvsDestinationSpec = IpvsDestinationKey & Pick<IpvsDestination, 'weight' | 'forwarding'>;

export type IpvsChange =
  | { readonly op: 'add-service' | 'set-service'; readonly service: IpvsService }
  | { readonly op: 'delete-service'; readonly service: IpvsServiceKey }
  | {
      readonly op: 'add-destination' | 'set-destination';
      readonly service: IpvsServiceKey;
      readonly destination: IpvsDestinationSpec;
    }
  | {
      readonly op: 'delete-destination';
      readonly service: IpvsServiceKey;
      readonly destination: IpvsDestinationKey;
    };

/** How long a connection is remembered that says nothing, seconds. */
export interface IpvsTimeouts {
  /** An established TCP connection. */
  readonly tcp: number;
  /** One of which an end has sent FIN. */
  readonly tcpFin: number;
  readonly udp: number;
}

/** One line of the connection table (/proc/net/ip_vs_conn). */
export interface IpvsConnection {
  readonly service: IpvsServiceKey;
  readonly client: IpAddress;
  /** 0: no connection, but what binds a client to its destination (a persistence template). */
  readonly clientPort: number;
  readonly destination: IpvsDestinationKey;
  /** The protocol's word: ESTABLISHED, FIN_WAIT, TIME_WAIT, …; UDP; ASSURED or NONE for a template. */
  readonly state: string;
  /** Seconds until it expires. */
  readonly timeout: number;
}

export interface IpvsConnectionFilter {
  readonly service?: IpvsServiceKey;
  readonly destination?: IpvsDestinationKey;
}

/**
 * IPVS, the kernel's layer-4 balancer, in one namespace.
 * Load ip_vs before a namespace is made, or the namespace has no net.ipv4.vs.* settings.
 *
 * Without ip_vs every call but `available` throws `EOPNOTSUPP`. A scheduler the kernel does not have (its module is loaded when
 * it can be) is `ENOENT`. Services and destinations whose fields make no sense, and addresses that can be no destination, are
 * `EINVAL`; so is every IPv4 destination in a namespace without any IPv4 address (its `lo` down).
 */
export interface IpvsPort {
  /** false: this kernel has no ip_vs and could not load it, or this process may not use it. */
  available(): boolean;
  /** Other work has its turn while there are many. */
  listServices(): Promise<readonly IpvsService[]>;
  /** Empty when there is no such service. */
  listDestinations(service: IpvsServiceKey): readonly IpvsDestination[];
  /** `EEXIST` when there is one of that address, port and protocol. */
  addService(service: IpvsService): void;
  /** Changes all but the key; destinations and connections stay. `ESRCH` when there is no such service. */
  setService(service: IpvsService): void;
  /** With its destinations. Nothing there is not an error. */
  deleteService(service: IpvsServiceKey): void;
  /** `ESRCH` without the service, `EEXIST` when it has the destination. */
  addDestination(service: IpvsServiceKey, destination: IpvsDestinationSpec): void;
  /** `ESRCH` without the service, `ENOENT` without the destination. */
  setDestination(service: IpvsServiceKey, destination: IpvsDestinationSpec): void;
  /** Its connections end, or go on if it comes back soon. Nothing there is not an error. */
  deleteDestination(service: IpvsServiceKey, destination: IpvsDestinationKey): void;
  /**
   * Makes many changes, in order, with few system calls. Throws the first failure, naming its change; those before it are made,
   * those after it may be: list again.
   */
  change(changes: readonly IpvsChange[]): void;
  /** Removes every service of the namespace, whoever made it. */
  flush(): void;
  timeouts(): IpvsTimeouts;
  /** For the namespace's connections from their next packet on. What is left out stays; less than a second is `EINVAL`. */
  setTimeouts(timeouts: Partial<IpvsTimeouts>): void;
  /** The connections and persistence templates of the namespace; the kernel does not filter, so that all are read. */
  connections(filter?: IpvsConnectionFilter): Promise<readonly IpvsConnection[]>;
}
