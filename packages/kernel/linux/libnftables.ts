import { closeSync, openSync } from 'node:fs';
import { KernelError } from '../errors.ts';
import { koffi, libc } from './libc.ts';

const NFT_CTX_OUTPUT_HANDLE = 1 << 3;
const NFT_CTX_OUTPUT_JSON = 1 << 4;
const NFT_CTX_OUTPUT_TERSE = 1 << 11;
/** The library's name; its ABI is stable since nftables 0.9. */
export const LIBNFTABLES = 'libnftables.so.1';

interface Library {
  nft_ctx_new(flags: number): bigint | null;
  nft_ctx_free(context: bigint): void;
  nft_ctx_buffer_output(context: bigint): number;
  nft_ctx_buffer_error(context: bigint): number;
  nft_ctx_output_set_flags(context: bigint, flags: number): void;
  nft_run_cmd_from_buffer(context: bigint, script: string): number;
  nft_ctx_get_output_buffer(context: bigint): string;
  nft_ctx_get_error_buffer(context: bigint): string;
}
let library: Library | undefined;

function load(): Library {
  if (library !== undefined) return library;
  let handle: ReturnType<ReturnType<typeof koffi>['load']>;
  try {
    handle = koffi().load(LIBNFTABLES);
  } catch (cause) {
    throw new KernelError(
      { errno: 'ENOENT', operation: 'load', object: LIBNFTABLES, detail: 'install nftables (libnftables1)' },
      { cause },
    );
  }
  const declare = (definition: string) => handle.func(definition) as unknown;
  library = {
    nft_ctx_new: declare('void *nft_ctx_new(uint32_t)'),
    nft_ctx_free: declare('void nft_ctx_free(void *)'),
    nft_ctx_buffer_output: declare('int nft_ctx_buffer_output(void *)'),
    nft_ctx_buffer_error: declare('int nft_ctx_buffer_error(void *)'),
    nft_ctx_output_set_flags: declare('void nft_ctx_output_set_flags(void *, uint)'),
    nft_run_cmd_from_buffer: declare('int nft_run_cmd_from_buffer(void *, const char *)'),
    nft_ctx_get_output_buffer: declare('const char *nft_ctx_get_output_buffer(void *)'),
    nft_ctx_get_error_buffer: declare('const char *nft_ctx_get_error_buffer(void *)'),
  } as Library;
  return library;
}

export interface NftResult {
  readonly ok: boolean;
  /** What nft would print; JSON when asked for. */
  readonly output: string;
  /** What nft would say on stderr. */
  readonly errors: string;
}

/**
 * libnftables in process. Its netlink socket is of the namespace the thread is in, and so are the link names it looks
 * up: make and use a context inside the namespace.
 */
export function runNft(script: string, format: 'text' | 'json' | 'terse json'): NftResult {
  const lib = load();
  const context = lib.nft_ctx_new(0);
  if (context === null) throw new KernelError({ errno: 'ENOMEM', operation: 'start', object: 'libnftables' });
  try {
    lib.nft_ctx_buffer_output(context);
    lib.nft_ctx_buffer_error(context);
    const terse = format === 'terse json' ? NFT_CTX_OUTPUT_TERSE : 0;
    if (format !== 'text')
      lib.nft_ctx_output_set_flags(context, NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE | terse);
    const run = () => lib.nft_run_cmd_from_buffer(context, script) === 0;
    const ok = format === 'text' ? run() : withoutStderr(run);
    return {
      ok,
      output: lib.nft_ctx_get_output_buffer(context),
      errors: lib.nft_ctx_get_error_buffer(context),
    };
  } finally {
    lib.nft_ctx_free(context);
  }
}

/**
 * For a synchronous call: nft's JSON printer writes "warning: stmt ops map have no json callback" to the process's stderr for each rule
 * that fills a map, past its error buffer. Nothing else of this thread can be lost meanwhile.
 */
function withoutStderr<T>(call: () => T): T {
  const stderr = libc().dup(2);
  if (stderr < 0) return call(); // closed: nobody reads it
  const nowhere = openSync('/dev/null', 'w');
  libc().dup2(nowhere, 2);
  closeSync(nowhere);
  try {
    return call();
  } finally {
    libc().dup2(stderr, 2);
    libc().close(stderr);
  }
}
