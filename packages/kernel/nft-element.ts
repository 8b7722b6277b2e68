import { KernelError } from './errors.ts';
import type { NftElementChange } from './ports/nft.ts';

/** The length nft allows an element's comment, in bytes. */
const COMMENT_MAX = 128;

/** The element in nearly nft's words, its key in hexadecimal: for errors. */
export function describeElement(change: NftElementChange): string {
  const key = change.key.map((part) => Buffer.from(part).toString('hex')).join(' . ');
  const comment = change.comment === undefined ? '' : ` (${change.comment})`;
  return `${change.op} ${describeSet(change)} { ${key} }${comment}`;
}

export function describeSet({
  family,
  table,
  set,
}: Pick<NftElementChange, 'family' | 'table' | 'set'>): string {
  return `${family} ${table} ${set}`;
}

/** @throws KernelError `EINVAL` for what the kernel would take and nft could not print again */
export function checkElement(change: NftElementChange): void {
  const { comment } = change;
  if (comment === undefined || Buffer.byteLength(comment) <= COMMENT_MAX) return;
  throw new KernelError({
    errno: 'EINVAL',
    operation: 'change nft elements',
    object: describeSet(change),
    detail: `a comment has at most ${COMMENT_MAX} bytes: ${JSON.stringify(comment)}`,
  });
}

/** The key or value as the kernel keeps it: the fields of a concatenation padded to 4 bytes, a lone one as it is. */
export function flattenNftKey(parts: readonly Uint8Array[]): Uint8Array {
  const [only, ...more] = parts;
  if (only !== undefined && more.length === 0) return only;
  return Buffer.concat(parts.flatMap((part) => [part, new Uint8Array(-part.length & 3)]));
}
