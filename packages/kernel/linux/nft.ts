import { KernelError } from '../errors.ts';
import { decodeElements, encodeElementDump, NFT_MSG_GETSETELEM } from '../netlink/nft-elements.ts';
import { decodeGeneration, decodeTable, NFT_MSG_GETGEN, NFT_MSG_GETTABLE } from '../netlink/nft-rules.ts';
import type { NetlinkWriter } from '../netlink/writer.ts';
import { nftError } from '../nft-errors.ts';
import type { NftElement, NftElementChange, NftFamily, NftPort, NftRawRule } from '../ports/nft.ts';
import { type NftResult, runNft } from './libnftables.ts';
import type { NetlinkSocket } from './netlink-socket.ts';
import { addRules, changeElements } from './nft-transaction.ts';
import { runNftInWorker } from './nft-worker.ts';

/** A script from this length on would block this thread for more than some 20 ms. */
const WORKER_SCRIPT_LENGTH = 64 * 1024;

/** libnftables keeps state of the whole process: nothing else may use it while a worker does. */
let worker: Promise<unknown> | undefined;

export class LinuxNft implements NftPort {
  readonly #inside: <T>(section: () => T) => T;
  readonly #fd: number;
  readonly #open: () => NetlinkSocket;
  #socket: NetlinkSocket | undefined;
  /** For short questions, which may come while the other is busy. */
  #asking: NetlinkSocket | undefined;
  /** The latest transaction of elements, until it ends. */
  #last: Promise<void> | undefined;

  /**
   * @param fd of the namespace
   * @param open makes an nfnetlink socket in the namespace
   */
  constructor(fd: number, inside: <T>(section: () => T) => T, open: () => NetlinkSocket) {
    this.#fd = fd;
    this.#inside = inside;
    this.#open = open;
  }

  async run(script: string): Promise<void> {
    await this.#exclusive();
    const { ok, errors } =
      script.length < WORKER_SCRIPT_LENGTH
        ? this.#inside(() => runNft(script, 'text'))
        : await this.#runInWorker(script);
    if (!ok) throw nftError('run', 'nft script', errors);
  }

  async elements(changes: readonly NftElementChange[]): Promise<void> {
    if (changes.length === 0) return;
    const mine = this.#afterLast(this.#last, changes);
    this.#last = mine;
    const clear = () => {
      if (this.#last === mine) this.#last = undefined;
    };
    mine.then(clear, clear);
    await mine;
  }

  /** Transactions go to the kernel in the order of the calls; the first waits for nothing. */
  async #afterLast(last: Promise<void> | undefined, changes: readonly NftElementChange[]): Promise<void> {
    if (last !== undefined) await last.catch(() => undefined);
    this.#socket ??= this.#open();
    await changeElements(this.#socket, changes);
  }

  async #exclusive(): Promise<void> {
    while (worker !== undefined) await worker.catch(() => undefined);
  }

  async #runInWorker(script: string): Promise<NftResult> {
    const running = runNftInWorker(this.#fd, script).finally(() => {
      worker = undefined;
    });
    worker = running;
    return await running;
  }

  [Symbol.dispose](): void {
    this.#socket?.[Symbol.dispose]();
    this.#asking?.[Symbol.dispose]();
  }

  async listElements(family: NftFamily, table: string, set: string): Promise<readonly NftElement[]> {
    using socket = this.#open();
    const parts = await socket.dumpInParts(
      {
        type: NFT_MSG_GETSETELEM,
        body: (writer) => encodeElementDump(writer, family, table, set),
        operation: 'list nft elements of',
        object: `${family} ${table} ${set}`,
      },
      ({ payload }) => decodeElements(payload),
    );
    return parts.flat();
  }

  async listTable(family: NftFamily, table: string): Promise<readonly unknown[] | undefined> {
    await this.#exclusive();
    this.#requireNoFlags(family, table);
    const { ok, output, errors } = this.#inside(() =>
      runNft(`list table ${family} ${nftName(table)}`, 'json'),
    );
    if (ok) return parseList(output);
    const error = nftError('list', `nft table ${family} ${table}`, errors);
    if (error.errno === 'ENOENT') return undefined;
    throw error;
  }

  async listRules(family: NftFamily, table: string): Promise<readonly unknown[] | undefined> {
    await this.#exclusive();
    const hasFlagged = this.#requireNoFlags(family, table);
    // Of a family as a whole: to list one table, nft reads all its elements even when it does not print them.
    const what = hasFlagged ? `table ${family} ${nftName(table)}` : `ruleset ${family}`;
    const { ok, output, errors } = this.#inside(() => runNft(`list ${what}`, 'terse json'));
    if (!ok) {
      const error = nftError('list', `nft rules of ${family} ${table}`, errors);
      if (error.errno === 'ENOENT') return undefined;
      throw error;
    }
    const found = parseList(output).filter((item) => tableOf(item) === nftName(table));
    return found.length === 0 ? undefined : found;
  }

  async addRules(
    family: NftFamily,
    table: string,
    chain: string,
    rules: readonly NftRawRule[],
  ): Promise<void> {
    using socket = this.#open();
    addRules(socket, { family, table, chain }, rules);
  }

  generation(): number {
    this.#asking ??= this.#open();
    const request = {
      type: NFT_MSG_GETGEN,
      body: (writer: NetlinkWriter) => void writer.u8(0).u8(0).u16be(0),
      operation: 'read',
      object: 'nft generation',
    };
    return this.#asking.query(request, ({ payload }) => decodeGeneration(payload))[0] ?? 0;
  }

  async listTables(): Promise<readonly { readonly family: NftFamily; readonly name: string }[]> {
    return this.#tables().map(({ family, name }) => ({ family, name }));
  }

  /**
   * nft 1.0.6 prints a table's flags as whatever is in memory where it looks, if it does not end the process.
   * @returns whether others of the family have flags
   */
  #requireNoFlags(family: NftFamily, table: string): boolean {
    const flagged = this.#tables().filter((each) => each.family === family && each.flags !== 0);
    if (flagged.some(({ name }) => name === table))
      throw new KernelError({
        errno: 'EOPNOTSUPP',
        operation: 'list',
        object: `nft table ${family} ${table}`,
        detail: 'it has flags (dormant?), which nft cannot print',
      });
    return flagged.length > 0;
  }

  /** Not by nft, which reads all elements of all tables before it lists their names. */
  #tables(): readonly { readonly family: NftFamily; readonly name: string; readonly flags: number }[] {
    using socket = this.#open();
    const request = {
      type: NFT_MSG_GETTABLE,
      body: (writer: NetlinkWriter) => void writer.u8(0).u8(0).u16be(0),
      operation: 'list',
      object: 'nft tables',
    };
    return socket.dump(request, ({ payload }) => decodeTable(payload));
  }
}

/** An identifier of the nft language. @throws KernelError `EINVAL` for text that could be read as anything else */
export function nftName(name: string): string {
  if (/^[A-Za-z][A-Za-z0-9_./-]{0,127}$/.test(name)) return name;
  throw new KernelError({ errno: 'EINVAL', operation: 'use nft name', object: JSON.stringify(name) });
}

function parseList(output: string): readonly unknown[] {
  const document: unknown = JSON.parse(output);
  const items = isRecord(document) ? document['nftables'] : undefined;
  if (Array.isArray(items)) return items.filter((item) => !(isRecord(item) && 'metainfo' in item));
  throw new KernelError({ errno: 'EPROTO', operation: 'read', object: 'nft JSON output' });
}

/** The table an object is, or is in. */
function tableOf(item: unknown): unknown {
  const [kind, body] = isRecord(item) ? (Object.entries(item)[0] ?? []) : [];
  if (!isRecord(body)) return undefined;
  return kind === 'table' ? body['name'] : body['table'];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
