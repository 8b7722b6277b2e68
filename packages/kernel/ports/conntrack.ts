import type { IpAddress, IpFamily } from '#ip';

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

/** Connections that the kernel follows (nfnetlink conntrack, CTNETLINK). */
export interface ConntrackPort {
  list(filter?: ConntrackFilter): Promise<readonly ConntrackEntry[]>;
  /** Nothing there is not an error. */
  delete(entry: Pick<ConntrackEntry, 'original'>): void;
}
