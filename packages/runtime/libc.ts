import { createRequire } from 'node:module';
import { endianness } from 'node:os';
import type Koffi from 'koffi';

export interface LoadedLibc<Calls> {
  readonly koffi: typeof Koffi;
  readonly calls: Calls;
}

/**
 * The C library's functions of these definitions. koffi is loaded and all are declared once, at the first use: importing what
 * calls them costs nothing. koffi has no ssize_t; intptr_t is the same on every Linux ABI.
 */
export function libcCalls<Calls extends object>(
  definitions: Readonly<Record<keyof Calls, string>>,
): () => LoadedLibc<Calls> {
  let loaded: LoadedLibc<Calls> | undefined;
  return () => {
    if (loaded !== undefined) return loaded;
    if (endianness() !== 'LE')
      throw new Error('what is given to the C library is written for little-endian machines');
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const library = koffi.load(null);
    const declared = Object.entries<string>(definitions).map(([name, definition]) => [
      name,
      library.func(definition),
    ]);
    loaded = { koffi, calls: Object.fromEntries(declared) as Calls };
    return loaded;
  };
}
