/** A member of a tar archive; paths are relative to its root. */
export type TarEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'file'; readonly path: string; readonly content: Uint8Array; readonly mode?: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

const BLOCK = 512;
/** pax(1), ustar interchange format: the type flag of each kind. */
const TYPE_FLAGS = { file: '0', symlink: '2', directory: '5' } as const;

/** The archive in ustar format; the same entries always give the same bytes. @throws RangeError for a path above 100 bytes */
export function tar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = entry.kind === 'file' ? entry.content : new Uint8Array();
    return [header(entry, content.length), content, Buffer.alloc(-content.length & (BLOCK - 1))];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const text = (value: string, offset: number, length: number): void => {
    if (Buffer.byteLength(value) > length) throw new RangeError(`${value}: above ${length} bytes`);
    block.write(value, offset);
  };
  const number = (value: number, offset: number, length: number): void =>
    text(value.toString(8).padStart(length - 1, '0'), offset, length);
  text(entry.path, 0, 100);
  number(entry.kind === 'symlink' ? 0o777 : (entry.mode ?? 0o755), 100, 8);
  number(0, 108, 8);
  number(0, 116, 8);
  number(size, 124, 12);
  number(0, 136, 12);
  text(TYPE_FLAGS[entry.kind], 156, 1);
  if (entry.kind === 'symlink') text(entry.target, 157, 100);
  text('ustar\u000000', 257, 8);
  // The sum counts its own field as spaces.
  block.fill(' ', 148, 156);
  number(
    block.reduce((sum, byte) => sum + byte, 0),
    148,
    7,
  );
  return block;
}
