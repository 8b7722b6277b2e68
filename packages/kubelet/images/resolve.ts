import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { errorMessage, InvalidInputError } from '#runtime';
import { formatImageReference, type ImageReference, imageFamily, parseImageReference } from './reference.ts';
import { type ImageEntry, type ImageHost, imageTable } from './table.ts';

/** What a container of an image starts with. */
export interface ResolvedImage {
  /** The whole normalised name. */
  readonly name: string;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly files: Readonly<Record<string, string>>;
  readonly links: Readonly<Record<string, string>>;
}

/** As the kubelet's waiting reasons: an image that cannot be had is retried, a bad name is not. */
export type ImageResult =
  | { readonly kind: 'found'; readonly image: ResolvedImage }
  | { readonly kind: 'missing' | 'invalid'; readonly message: string };

export interface ImageTable {
  resolve(image: string): ImageResult;
}

export interface ImageTableOptions {
  readonly host: ImageHost;
  /** What runs a built-in server: `[node, podway.js, 'builtin']`. */
  readonly builtinCommand: readonly string[];
  /** The user's own entries, looked at first: see {@link parseImageOverride}. */
  readonly overrides?: readonly ImageEntry[];
  /** Finds a command of the host; undefined when it is not installed. */
  readonly which?: (command: string) => string | undefined;
}

export const IMAGE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Finds a command on the containers' PATH. */
export function whichOnHost(command: string): string | undefined {
  const candidates = command.startsWith('/')
    ? [command]
    : IMAGE_PATH.split(':').map((dir) => join(dir, command));
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/**
 * `IMAGE=COMMAND [ARG…]`, as on the command line: words split at blanks, as a Dockerfile's CMD.
 * @throws InvalidInputError
 */
export function parseImageOverride(text: string): ImageEntry {
  const equals = text.indexOf('=');
  const words = text
    .slice(equals + 1)
    .split(/\s+/)
    .filter((word) => word !== '');
  if (equals < 1 || words.length === 0) throw new InvalidInputError('image', text, 'expected IMAGE=COMMAND');
  return { names: [imageFamily(parseImageReference(text.slice(0, equals)))], cmd: words };
}

/** The table that containers' images are looked up in. */
export function createImageTable(options: ImageTableOptions): ImageTable {
  const entries = [...(options.overrides ?? []), ...imageTable(options.host)];
  const which = options.which ?? whichOnHost;
  return {
    resolve(image) {
      let reference: ImageReference;
      try {
        reference = parseImageReference(image);
      } catch (error) {
        return {
          kind: 'invalid',
          message: `Failed to apply default image tag "${image}": ${errorMessage(error)}`,
        };
      }
      const family = imageFamily(reference);
      const entry = entries.find(({ names }) => names.some((name) => matches(name, family)));
      const name = formatImageReference(reference);
      if (entry === undefined)
        return {
          kind: 'missing',
          message: `image "${name}" is not in the lab's image table: images stand for commands of this machine here; add one with --image ${image}=COMMAND when the lab starts`,
        };
      const command = entry.requires ?? entry.entrypoint?.[0] ?? entry.cmd?.[0];
      if (entry.builtin === undefined && command !== undefined && which(command) === undefined)
        return { kind: 'missing', message: notInstalled(name, command, entry.package) };
      return { kind: 'found', image: resolved(name, reference, entry, options.builtinCommand) };
    },
  };
}

function matches(name: string, family: string): boolean {
  return name.endsWith('*') ? family.startsWith(name.slice(0, -1)) : name === family;
}

function notInstalled(image: string, command: string, debianPackage: string | undefined): string {
  const how = debianPackage === undefined ? '' : `: install it with apt-get install ${debianPackage}`;
  return `image "${image}" runs this machine's ${command}, which is not installed${how}`;
}

function resolved(
  name: string,
  reference: ImageReference,
  entry: ImageEntry,
  builtinCommand: readonly string[],
): ResolvedImage {
  const builtin = entry.builtin === undefined ? [] : [...builtinCommand, entry.builtin];
  return {
    name,
    entrypoint: [...builtin, ...(entry.entrypoint ?? [])],
    cmd: entry.cmd ?? [],
    env: { PATH: IMAGE_PATH, PODWAY_IMAGE_TAG: reference.tag, ...entry.env },
    workingDir: entry.workingDir ?? '/',
    files: entry.files ?? {},
    links: entry.links ?? {},
  };
}
