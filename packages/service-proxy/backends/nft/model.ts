/**
 * The part of the nftables language that Podway uses, as values: what the renderer makes, what a listing is parsed into
 * and what the packet walker walks. Anything outside it is an error for the parser.
 */
export interface NftListing {
  /** Names of sets and maps. */
  readonly sets: readonly string[];
  readonly chains: readonly NftChain[];
  /** Of all sets but learned ones. */
  readonly elements: readonly NftElement[];
}

/** Types of the parts of a key. `slot` is the number that `numgen` draws, `mark` one that a packet carries while it is in the kernel. */
export type NftType = 'address' | 'protocol' | 'port' | 'slot' | 'mark';

export interface NftSet {
  readonly name: string;
  readonly key: readonly NftType[];
  /** undefined for a set, else what the map gives. */
  readonly data: 'verdict' | readonly NftType[] | undefined;
  /** `interval`: elements are prefixes; `learned`: packets add elements, which expire. */
  readonly kind: 'plain' | 'interval' | 'learned';
  /** For a key with a slot: the protocol whose ports it has. */
  readonly protocol?: 'tcp' | 'udp' | 'sctp';
}

/** A key or a datum in nft's own text, parts joined with ` . `: `10.96.0.1 . tcp . 80`. */
export interface NftElement {
  readonly set: string;
  readonly key: string;
  /** Text of the datum (`10.244.1.2 . 8080`) or verdict (`goto ep3`, `drop`); '' for a set's element. */
  readonly value: string;
}

/** Which element of the table: its data aside. */
export function elementId({ set, key }: Pick<NftElement, 'set' | 'key'>): string {
  return `${set} ${key}`;
}

export interface NftChain {
  readonly name: string;
  readonly hook: NftHook | undefined;
  readonly rules: readonly NftRule[];
}

export interface NftHook {
  readonly type: 'nat' | 'filter';
  readonly at: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
  /** What becomes of a packet that no rule has decided about; accept when absent, as ours have it. */
  readonly policy?: 'drop';
}

/** Statements in order; a match that fails ends the rule. */
export type NftRule = readonly NftStatement[];

/** A property of the packet or of its connection. */
export type NftField =
  | 'saddr'
  | 'daddr'
  | 'l4proto'
  | 'dport'
  | 'ct state'
  | 'ct status'
  | 'ct original daddr'
  | 'ct original dport'
  | 'fib saddr type'
  | 'fib daddr type'
  /** A random number below the given one. */
  | { readonly random: number };

export type NftStatement =
  | { readonly do: 'match'; readonly field: NftField; readonly values: readonly string[] }
  | {
      readonly do: 'lookup';
      readonly key: readonly NftField[];
      readonly set: string;
      readonly negate: boolean;
    }
  | { readonly do: 'verdict map'; readonly key: readonly NftField[]; readonly map: string }
  | { readonly do: 'dnat'; readonly key: readonly NftField[]; readonly map: string }
  /** No chain of this hook that comes later translates the destination. */
  | { readonly do: 'keep destination' }
  | {
      readonly do: 'learn';
      readonly key: readonly NftField[];
      readonly map: string;
      readonly data: readonly NftField[];
      /** Seconds. */
      readonly timeout: number;
    }
  | {
      readonly do: 'forget';
      readonly key: readonly NftField[];
      readonly map: string;
      /** Of no use to the kernel, but nft wants it. */
      readonly data: readonly NftField[];
    }
  | { readonly do: 'set mark'; readonly key: readonly NftField[]; readonly map: string }
  | { readonly do: 'masquerade' | 'drop' | 'return' }
  | { readonly do: 'goto' | 'jump'; readonly chain: string }
  | { readonly do: 'reject'; readonly with: RejectWith }
  /** Stands for a whole rule of a listing that says what Podway never says. */
  | { readonly do: 'unknown'; readonly what: string };

export type RejectWith = 'tcp reset' | 'port-unreachable' | 'host-unreachable';
