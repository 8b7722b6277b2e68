import { KernelError } from '../errors.ts';
import { nftError } from '../nft-errors.ts';
import type { NftElementChange, NftFamily, NftPort } from '../ports.ts';
import { runNft } from './libnftables.ts';

export class LinuxNft implements NftPort {
  readonly #inside: <T>(section: () => T) => T;

  constructor(inside: <T>(section: () => T) => T) {
    this.#inside = inside;
  }

  async run(script: string): Promise<void> {
    const { ok, errors } = this.#inside(() => runNft(script, 'text'));
    if (!ok) throw nftError('run', 'nft script', errors);
  }

  async elements(_changes: readonly NftElementChange[]): Promise<void> {
    throw new KernelError({ errno: 'EOPNOTSUPP', operation: 'change', object: 'nft elements' });
  }

  async listTable(family: NftFamily, table: string): Promise<readonly unknown[] | undefined> {
    const { ok, output, errors } = this.#inside(() =>
      runNft(`list table ${family} ${nftName(table)}`, 'json'),
    );
    if (ok) return parseList(output);
    const error = nftError('list', `nft table ${family} ${table}`, errors);
    if (error.errno === 'ENOENT') return undefined;
    throw error;
  }

  async listTables(): Promise<readonly { readonly family: NftFamily; readonly name: string }[]> {
    const { ok, output, errors } = this.#inside(() => runNft('list tables', 'json'));
    if (!ok) throw nftError('list', 'nft tables', errors);
    return parseList(output).flatMap((item) => {
      const table = isRecord(item) ? item['table'] : undefined;
      return isRecord(table) && typeof table['name'] === 'string'
        ? [{ family: String(table['family']) as NftFamily, name: table['name'] }]
        : [];
    });
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

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
