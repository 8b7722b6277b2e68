import type { IpAddress, IpPrefix } from '#ip';
import type { TransportProtocol } from '../../table/transport.ts';

/** The part of what iptables can say that the Service rules use. Every match of a rule must hold; fields in the order they are printed. */
export interface IptRule {
  readonly source?: IpPrefix;
  readonly destination?: IpPrefix;
  readonly protocol?: TransportProtocol;
  /** The destination port; with a protocol only. */
  readonly port?: number;
  /** An address of this machine: fib type `local`. */
  readonly local?: 'source' | 'destination';
  /** conntrack: the first packet of a connection; a connection whose destination is translated. */
  readonly state?: 'NEW' | 'DNAT';
  /** conntrack: the destination before translation. */
  readonly original?: { readonly destination: IpPrefix; readonly port?: number };
  /** Of so many random packets one matches: the 31 bits that the kernel keeps of it, from 0 to 1. */
  readonly probability?: number;
  /** xt_recent: the source address is put on a list (always holds), or is on it since less than so many seconds and counts anew. */
  readonly recent?:
    | { readonly do: 'set'; readonly list: string }
    | { readonly do: 'update'; readonly list: string; readonly seconds: number };
  /** For people. */
  readonly comment?: string;
  readonly verdict: IptVerdict;
}

export type IptVerdict =
  | { readonly do: 'jump' | 'goto'; readonly chain: string }
  | { readonly do: 'return' | 'drop' | 'masquerade' }
  | { readonly do: 'reject'; readonly with: 'tcp-reset' | 'port-unreachable' | 'host-unreachable' }
  | { readonly do: 'dnat'; readonly address: IpAddress; readonly port: number };

export type IptTable = 'nat' | 'filter';
export const IPT_TABLES: readonly IptTable[] = ['nat', 'filter'];

/** `nat PODWAY-SERVICES`. */
export type ChainId = `${IptTable} ${string}`;

export function chainId(table: IptTable, name: string): ChainId {
  return `${table} ${name}`;
}

export function splitChainId(id: ChainId): { readonly table: IptTable; readonly name: string } {
  const space = id.indexOf(' ');
  return { table: id.slice(0, space) as IptTable, name: id.slice(space + 1) };
}

/** A rule of a built-in chain that leads to one of ours. */
export interface IptJump {
  readonly table: IptTable;
  /** `PREROUTING`, … */
  readonly from: string;
  readonly rule: IptRule;
}
