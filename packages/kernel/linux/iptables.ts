import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { IpFamily } from '#ip';
import { isKernelError, KernelError } from '../errors.ts';
import type { IptablesPort, IptablesVariant } from '../ports/iptables.ts';
import type { NftPort } from '../ports/nft.ts';
import { wrapFileErrors } from './netns-files.ts';
import { insideNewNetns } from './thread-netns.ts';

/** So long others may hold the lock on ip_tables, seconds; nf_tables needs none, its programs start again by themselves. */
const LOCK_SECONDS = 10;
/** An ordinary user's PATH, and some daemons', lack the directories of the programs. */
const PATH = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];
const MULTI_CALL: Readonly<Record<string, IptablesVariant>> = {
  'xtables-nft-multi': 'nft',
  'xtables-legacy-multi': 'legacy',
};

export class LinuxIptables implements IptablesPort {
  readonly #nft: Pick<NftPort, 'listTables'>;
  readonly #inside: <T>(section: () => T) => T;

  constructor(nft: Pick<NftPort, 'listTables'>, inside: <T>(section: () => T) => T) {
    this.#nft = nft;
    this.#inside = inside;
  }

  variants(): readonly IptablesVariant[] {
    const installed = (['nft', 'legacy'] as const).filter((variant) =>
      programPath(`iptables-${variant}-restore`),
    );
    const plain = MULTI_CALL[basename(programPath('iptables') ?? '')];
    return installed.sort((a, b) => Number(b === plain) - Number(a === plain));
  }

  async tables(variant: IptablesVariant, family: IpFamily): Promise<readonly string[] | undefined> {
    if (variant === 'nft') return await this.#nftTables(family);
    const path = `/proc/thread-self/net/${NFT_FAMILY[family]}_tables_names`;
    try {
      const text = this.#inside(() => wrapFileErrors('read', path, () => readFileSync(path, 'utf8')));
      return text.split('\n').filter((name) => name !== '');
    } catch (error) {
      if (isKernelError(error, 'ENOENT')) return [];
      if (isKernelError(error, 'EACCES')) return undefined;
      throw error;
    }
  }

  async #nftTables(family: IpFamily): Promise<readonly string[]> {
    try {
      const tables = await this.#nft.listTables();
      return tables.filter((table) => table.family === NFT_FAMILY[family]).map(({ name }) => name);
    } catch (error) {
      if (isKernelError(error, 'EINVAL', 'EOPNOTSUPP')) return []; // a kernel without nf_tables
      throw error;
    }
  }

  save(variant: IptablesVariant, family: IpFamily, table: string): Promise<string> {
    return finished(this.#inside(() => start(variant, family, 'save', ['-t', table])));
  }

  async restore(variant: IptablesVariant, family: IpFamily, input: string): Promise<void> {
    await finished(
      this.#inside(() => start(variant, family, 'restore', RESTORE)),
      input,
    );
  }

  async test(variant: IptablesVariant, family: IpFamily, input: string): Promise<void> {
    await finished(
      insideNewNetns(() => start(variant, family, 'restore', RESTORE)),
      input,
    );
  }
}

const NFT_FAMILY = { IPv4: 'ip', IPv6: 'ip6' } as const;
const RESTORE = ['--noflush', '-w', String(LOCK_SECONDS)];

interface Running {
  readonly program: string;
  readonly child: ChildProcess;
}

/** The child begins, and stays, in the namespace that the thread is in now. */
function start(
  variant: IptablesVariant,
  family: IpFamily,
  action: 'save' | 'restore',
  args: readonly string[],
): Running {
  const program = `${NFT_FAMILY[family]}tables-${variant}-${action}`;
  const env = { PATH: PATH.join(':'), LC_ALL: 'C' };
  return { program, child: spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] }) };
}

/** @returns what it prints. @throws KernelError */
async function finished({ program, child }: Running, input = ''): Promise<string> {
  const output: Buffer[] = [];
  let words = '';
  child.stdout?.on('data', (part: Buffer) => output.push(part));
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    words += part;
  });
  child.stdin?.on('error', () => {}); // it ended before it read everything; its status says why
  child.stdin?.end(input);
  const status = await new Promise<number | string>((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(failure(program, error.code ?? 'EIO', error.message)),
    );
    child.on('close', (code, signal) => resolve(code ?? signal ?? ''));
  });
  if (status !== 0) throw failure(program, errnoOf(words), words.trim() || `it ended with ${status}`);
  return Buffer.concat(output).toString();
}

function failure(program: string, errno: string, detail: string): KernelError {
  return new KernelError({ errno, operation: 'run', object: program, detail });
}

/** The only place that reads what the programs say. */
function errnoOf(words: string): string {
  if (/Permission denied|Operation not permitted/.test(words)) return 'EPERM';
  if (/holding the xtables lock|Resource temporarily unavailable/.test(words)) return 'EAGAIN';
  if (/Message too long|No buffer space/.test(words)) return 'EMSGSIZE';
  return 'EINVAL';
}

/** Where the program is, links followed. */
function programPath(name: string): string | undefined {
  for (const directory of PATH) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return realpathSync(path);
    } catch {}
  }
  return undefined;
}
