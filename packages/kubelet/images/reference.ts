import { InvalidInputError } from '#runtime';

/** An image name taken apart as Docker does (distribution/reference). */
export interface ImageReference {
  /** `docker.io`, `registry.k8s.io`, `localhost:5000`. */
  readonly registry: string;
  /** `library/nginx`, `e2e-test-images/agnhost`. */
  readonly repository: string;
  /** `latest` when neither tag nor digest is given; '' when only a digest is. */
  readonly tag: string;
  /** `sha256:…`, or ''. */
  readonly digest: string;
}

const REPOSITORY = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const REGISTRY = /^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*(:\d+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/;

/**
 * Normalises an image name: `nginx` is `docker.io/library/nginx:latest`.
 * @throws InvalidInputError when it is no image name
 */
export function parseImageReference(image: string): ImageReference {
  const at = image.indexOf('@');
  const digest = at < 0 ? '' : image.slice(at + 1);
  const named = at < 0 ? image : image.slice(0, at);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const path = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : digest === '' ? 'latest' : '';
  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  const isRegistry = first.includes('.') || first.includes(':') || first === 'localhost';
  const registry = isRegistry ? first : 'docker.io';
  const rest = isRegistry ? path.slice(slash + 1) : path;
  const official = (registry === 'docker.io' || registry === 'index.docker.io') && !rest.includes('/');
  const repository = official ? `library/${rest}` : rest;
  if (
    !REGISTRY.test(registry) ||
    !REPOSITORY.test(repository) ||
    ((hasTag || tag !== '') && !TAG.test(tag)) ||
    (digest !== '' && !DIGEST.test(digest))
  )
    throw new InvalidInputError('image', image, 'not an image name (registry/repository:tag)');
  return { registry: registry === 'index.docker.io' ? 'docker.io' : registry, repository, tag, digest };
}

/** The registry and repository, which is what the image table is keyed by. */
export function imageFamily(reference: ImageReference): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The whole normalised name. */
export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === '' ? '' : `:${reference.tag}`;
  const digest = reference.digest === '' ? '' : `@${reference.digest}`;
  return `${imageFamily(reference)}${tag}${digest}`;
}
