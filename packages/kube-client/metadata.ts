import { isObject, nameKey } from '#kube-api';
import { InvalidInputError } from '#runtime';

/** The metadata that clients read from any object, whatever its kind. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** The object's metadata, which must at least have room for a name. Throws InvalidInputError for anything else. */
export function metadataOf(object: unknown): Metadata {
  const metadata = isObject(object) ? object['metadata'] : undefined;
  if (!isObject(metadata)) throw new InvalidInputError('metadata', metadata, 'an API object needs metadata');
  return metadata as object as Metadata;
}

/** The key of any object in stores: `namespace/name`, or `name` for cluster-scoped kinds. */
export function keyOf(object: unknown): string {
  const { name, namespace } = metadataOf(object);
  return nameKey(namespace, name);
}

/**
 * Orders resourceVersions, which are decimal numbers of up to 64 bits (KEP-5504): negative when `a` is older than `b`.
 * Compares text, so that no event costs a BigInt.
 */
export function compareResourceVersions(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
