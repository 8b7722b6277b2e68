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
  /**
   * The JSON form (libnftables-json(5)) of a table, undefined when there is none. Blocks: seconds for a large table.
   * `EOPNOTSUPP` for a table with flags: somebody has put it to sleep (`dormant`).
   */
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
