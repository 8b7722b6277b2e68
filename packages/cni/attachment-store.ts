import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { type IpAddress, parseIp } from '#ip';
import { type AddressRange, addressesAfter, rangeHolds } from './address-range.ts';
import { type Attachment, type AttachmentKey, formatKey } from './attachment.ts';
import { CNI_CODES, type CniCode, CniError } from './errors.ts';
import type { PortMapping } from './network-config.ts';

/** Milliseconds that an address rests after its Pod is gone: packets and caches of the old Pod die meanwhile. */
export const QUARANTINE_MS = 10_000;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS attachment (
  network TEXT NOT NULL, container TEXT NOT NULL, ifname TEXT NOT NULL,
  netns TEXT NOT NULL, link TEXT NOT NULL, pod TEXT, ports TEXT NOT NULL, complete INTEGER NOT NULL,
  PRIMARY KEY (network, container, ifname)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS address (
  address TEXT PRIMARY KEY, network TEXT NOT NULL, container TEXT NOT NULL, ifname TEXT NOT NULL, position INTEGER NOT NULL
  ) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS address_owner ON address (network, container, ifname);
CREATE TABLE IF NOT EXISTS released (address TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (range TEXT PRIMARY KEY, last TEXT NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
`;

/** What an attachment needs: an address of the first range with room in each list, or the fixed ones. */
export interface Reservation extends Omit<Attachment, 'addresses' | 'complete' | 'hostLink'> {
  readonly hostLink: string;
  /** One list a family; an address is taken from each. */
  readonly ranges: readonly (readonly AddressRange[])[];
  /** Addresses to take instead, from whichever range holds them. */
  readonly fixed: readonly IpAddress[];
}

/**
 * The attachments of a node and the addresses they hold, in SQLite: a reservation is one transaction, so a process
 * killed anywhere leaves it whole or absent. Written ahead (WAL) and without a sync a commit: what a power cut may
 * take back are Pods that the cut ended too. One process at a time has the file; it reads the attachments once.
 */
export class AttachmentStore implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  /** By their formatted keys: what the file holds. */
  readonly #attachments: Map<string, Attachment>;

  /** @param path of the file, or `:memory:` */
  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 5000 });
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
    this.#db.exec(SCHEMA);
    const rows = this.#sql('SELECT * FROM attachment').all();
    const attachments = rows.map((row) => this.#read(row));
    this.#attachments = new Map(attachments.map((attachment) => [formatKey(attachment), attachment]));
  }

  get(key: AttachmentKey): Attachment | undefined {
    return this.#attachments.get(formatKey(key));
  }

  list(): readonly Attachment[] {
    return [...this.#attachments.values()];
  }

  count(): number {
    return this.#attachments.size;
  }

  /** The attachment, recorded as not complete. @throws CniError 100 when a range is full, 102 when a fixed address is taken */
  reserve(wanted: Reservation, now: number): Attachment {
    const reserved = this.#transaction(() => {
      const addresses =
        wanted.fixed.length > 0
          ? wanted.fixed.map((address) => this.#takeFixed(address, wanted.ranges.flat()))
          : wanted.ranges.map((family) => this.#takeNext(family, now));
      this.#sql('INSERT INTO attachment VALUES (?, ?, ?, ?, ?, ?, ?, 0)').run(
        ...parameters(wanted),
        wanted.netns,
        wanted.hostLink,
        wanted.pod ?? null,
        JSON.stringify(wanted.portMappings),
      );
      for (const [position, address] of addresses.entries())
        this.#sql('INSERT INTO address VALUES (?, ?, ?, ?, ?)').run(address, ...parameters(wanted), position);
      const { ranges: _, fixed: __, ...attachment } = wanted;
      return { ...attachment, addresses, complete: false };
    });
    this.#attachments.set(formatKey(wanted), reserved);
    return reserved;
  }

  complete(key: AttachmentKey): void {
    this.#sql('UPDATE attachment SET complete = 1 WHERE network = ? AND container = ? AND ifname = ?').run(
      ...parameters(key),
    );
    const attachment = this.get(key);
    if (attachment !== undefined) this.#attachments.set(formatKey(key), { ...attachment, complete: true });
  }

  /** Forgets the attachment; its addresses rest. Nothing there is not an error. */
  release(key: AttachmentKey, now: number): void {
    const owner = 'WHERE network = ? AND container = ? AND ifname = ?';
    this.#transaction(() => {
      this.#sql('DELETE FROM released WHERE at <= ?').run(now - QUARANTINE_MS);
      this.#sql(`INSERT OR REPLACE INTO released SELECT address, ? FROM address ${owner}`).run(
        now,
        ...parameters(key),
      );
      this.#sql(`DELETE FROM address ${owner}`).run(...parameters(key));
      this.#sql(`DELETE FROM attachment ${owner}`).run(...parameters(key));
    });
    this.#attachments.delete(formatKey(key));
  }

  /** How many of the range's addresses Pods have now. */
  used(range: AddressRange): number {
    const held = this.list().flatMap(({ addresses }) => addresses);
    return held.filter((address) => rangeHolds(range, address)).length;
  }

  /** @throws CniError 50 when Pods have every address of these ranges */
  requireRoom(ranges: readonly AddressRange[]): void {
    if (ranges.every((range) => BigInt(this.used(range)) >= range.capacity))
      throw this.#noneLeft(CNI_CODES.notAvailable, ranges);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #takeFixed(address: IpAddress, ranges: readonly AddressRange[]): IpAddress {
    if (!ranges.some((range) => rangeHolds(range, address)))
      throw new CniError(
        CNI_CODES.invalidConfig,
        `runtimeConfig.ips: ${address} is in none of this node's ranges`,
        {
          details: `the ranges are ${ranges.map(({ prefix }) => prefix).join(', ')}; gateway, network and broadcast addresses are not for Pods`,
        },
      );
    const owner = this.#sql('SELECT container, ifname FROM address WHERE address = ?').get(address);
    if (owner !== undefined)
      throw new CniError(
        CNI_CODES.taken,
        `address ${address} is taken by container ${owner['container']} (${owner['ifname']})`,
      );
    return address;
  }

  #takeNext(ranges: readonly AddressRange[], now: number): IpAddress {
    for (const range of ranges) {
      const address = this.#next(range, now);
      if (address === undefined) continue;
      this.#sql('INSERT OR REPLACE INTO cursor VALUES (?, ?)').run(range.prefix, address);
      return address;
    }
    throw this.#exhausted(ranges, now);
  }

  /** The first free address after the last one given: the longest rest for those given back. */
  #next(range: AddressRange, now: number): IpAddress | undefined {
    const cursor = this.#sql('SELECT last FROM cursor WHERE range = ?').get(range.prefix)?.['last'];
    const isUsed = this.#sql('SELECT 1 FROM address WHERE address = ?');
    const isResting = this.#sql('SELECT 1 FROM released WHERE address = ? AND at > ?');
    for (const address of addressesAfter(range, cursor === undefined ? undefined : parseIp(String(cursor))))
      if (isUsed.get(address) === undefined && isResting.get(address, now - QUARANTINE_MS) === undefined)
        return address;
    return undefined;
  }

  #exhausted(ranges: readonly AddressRange[], now: number): CniError {
    const resting = this.#sql('SELECT address FROM released WHERE at > ?')
      .all(now - QUARANTINE_MS)
      .map((row) => parseIp(String(row['address'])));
    const rests = resting.filter((address) => ranges.some((range) => rangeHolds(range, address))).length;
    return rests > 0
      ? new CniError(CNI_CODES.tryAgainLater, `no address is free yet in ${this.#usage(ranges)}`, {
          details: `${rests} rest for ${QUARANTINE_MS / 1000} s after their Pods ended`,
        })
      : this.#noneLeft(CNI_CODES.exhausted, ranges);
  }

  #noneLeft(code: CniCode, ranges: readonly AddressRange[]): CniError {
    return new CniError(code, `no address is left in ${this.#usage(ranges)}`, {
      details: 'end Pods on this node, or give nodes larger Pod CIDRs',
    });
  }

  #usage(ranges: readonly AddressRange[]): string {
    return ranges
      .map((range) => `${range.prefix} (${this.used(range)} of ${range.capacity} used)`)
      .join(', ');
  }

  #read(row: Readonly<Record<string, unknown>>): Attachment {
    const key = {
      network: String(row['network']),
      containerId: String(row['container']),
      ifName: String(row['ifname']),
    };
    const addresses = this.#sql(
      'SELECT address FROM address WHERE network = ? AND container = ? AND ifname = ? ORDER BY position',
    ).all(...parameters(key));
    return {
      ...key,
      netns: String(row['netns']),
      hostLink: String(row['link']),
      pod: row['pod'] === null ? undefined : String(row['pod']),
      portMappings: JSON.parse(String(row['ports'])) as readonly PortMapping[],
      complete: row['complete'] === 1,
      addresses: addresses.map((each) => parseIp(String(each['address']))),
    };
  }

  #transaction<T>(work: () => T): T {
    this.#sql('BEGIN IMMEDIATE').run();
    try {
      const result = work();
      this.#sql('COMMIT').run();
      return result;
    } catch (error) {
      // A failed COMMIT (disk full) may have rolled back already.
      if (this.#db.isTransaction) this.#sql('ROLLBACK').run();
      throw error;
    }
  }

  #sql(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.#db.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }
}

function parameters(key: AttachmentKey): readonly [string, string, string] {
  return [key.network, key.containerId, key.ifName];
}
