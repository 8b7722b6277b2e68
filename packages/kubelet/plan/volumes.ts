import {
  type ConfigMap,
  type KeyToPath,
  type Pod,
  parseQuantity,
  type Secret,
  type Volume,
  type VolumeProjection,
} from '#kube-api';
import { PodConfigError } from './errors.ts';
import { type DownwardContext, podField, resourceField } from './fields.ts';
import { allContainers, type PodObjects, tokenKey } from './references.ts';

/** A file of a volume. */
export interface VolumeFile {
  /** Relative to the volume, without `..`. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
}

export type VolumePlan =
  /** `sizeLimit` in bytes. */
  | { readonly kind: 'empty'; readonly sizeLimit: number | undefined }
  | { readonly kind: 'files'; readonly files: readonly VolumeFile[] }
  | { readonly kind: 'host'; readonly path: string; readonly type: string };

export interface VolumeContext extends DownwardContext {
  readonly objects: PodObjects;
  /** Service account tokens by {@link tokenKey}. */
  readonly tokens: ReadonlyMap<string, string>;
}

const DEFAULT_MODE = 0o644;

/** What a volume holds. @throws PodConfigError when an object is not there, or a kind of volume is not known */
export function volumePlan(pod: Pod, volume: Volume, context: VolumeContext): VolumePlan {
  if (volume.emptyDir !== undefined) {
    const { sizeLimit } = volume.emptyDir;
    return {
      kind: 'empty',
      sizeLimit: sizeLimit === undefined ? undefined : parseQuantity(String(sizeLimit)),
    };
  }
  if (volume.hostPath !== undefined)
    return { kind: 'host', path: volume.hostPath.path, type: volume.hostPath.type ?? '' };
  if (volume.configMap !== undefined) {
    const { name, items, optional, defaultMode } = volume.configMap;
    return files(configMapFiles(name, items, optional, defaultMode, context.objects));
  }
  if (volume.secret !== undefined) {
    const { secretName, items, optional, defaultMode } = volume.secret;
    return files(secretFiles(secretName, items, optional, defaultMode, context.objects));
  }
  if (volume.downwardAPI !== undefined)
    return files(
      projectionFiles(pod, { downwardAPI: volume.downwardAPI }, volume.downwardAPI.defaultMode, context),
    );
  if (volume.projected !== undefined) {
    const { sources, defaultMode } = volume.projected;
    return files((sources ?? []).flatMap((source) => projectionFiles(pod, source, defaultMode, context)));
  }
  const kind = Object.keys(volume).find((key) => key !== 'name');
  if (kind === undefined) return { kind: 'empty', sizeLimit: undefined };
  throw new PodConfigError(`volume "${volume.name}": this lab has no volumes of kind ${kind}`);
}

function files(list: readonly VolumeFile[]): VolumePlan {
  return { kind: 'files', files: list };
}

function projectionFiles(
  pod: Pod,
  source: VolumeProjection,
  mode: number | undefined,
  context: VolumeContext,
): readonly VolumeFile[] {
  if (source.configMap !== undefined)
    return configMapFiles(
      source.configMap.name,
      source.configMap.items,
      source.configMap.optional,
      mode,
      context.objects,
    );
  if (source.secret !== undefined)
    return secretFiles(
      source.secret.name,
      source.secret.items,
      source.secret.optional,
      mode,
      context.objects,
    );
  if (source.serviceAccountToken !== undefined) {
    const token = context.tokens.get(tokenKey(source.serviceAccountToken));
    if (token === undefined) throw new PodConfigError('no service account token could be had');
    return [file(source.serviceAccountToken.path, Buffer.from(token), mode)];
  }
  return (source.downwardAPI?.items ?? []).map(({ path, fieldRef, resourceFieldRef, mode: own }) => {
    const value =
      fieldRef !== undefined
        ? podField(pod, fieldRef.fieldPath, context)
        : resourceFieldRef !== undefined
          ? resourceField(allContainers(pod), undefined, resourceFieldRef, context)
          : '';
    return file(path, Buffer.from(value), own ?? mode);
  });
}

function configMapFiles(
  name: string | undefined,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number | undefined,
  objects: PodObjects,
): readonly VolumeFile[] {
  const found = objects.configMaps.get(name ?? '');
  if (found === undefined) return absent(optional, `configmap "${name ?? ''}" not found`);
  return pick(configMapContents(found), items, mode, optional, `configmap "${name ?? ''}"`);
}

function secretFiles(
  name: string | undefined,
  items: readonly KeyToPath[] | undefined,
  optional: boolean | undefined,
  mode: number | undefined,
  objects: PodObjects,
): readonly VolumeFile[] {
  const found = objects.secrets.get(name ?? '');
  if (found === undefined) return absent(optional, `secret "${name ?? ''}" not found`);
  return pick(secretContents(found), items, mode, optional, `secret "${name ?? ''}"`);
}

function absent(optional: boolean | undefined, message: string): readonly VolumeFile[] {
  if (optional === true) return [];
  throw new PodConfigError(message);
}

function configMapContents(object: ConfigMap): ReadonlyMap<string, Uint8Array> {
  return new Map([
    ...Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const),
    ...Object.entries(object.binaryData ?? {}).map(
      ([key, value]) => [key, Buffer.from(value, 'base64')] as const,
    ),
  ]);
}

function secretContents(object: Secret): ReadonlyMap<string, Uint8Array> {
  return new Map([
    ...Object.entries(object.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64')] as const),
    ...Object.entries(object.stringData ?? {}).map(([key, value]) => [key, Buffer.from(value)] as const),
  ]);
}

function pick(
  contents: ReadonlyMap<string, Uint8Array>,
  items: readonly KeyToPath[] | undefined,
  mode: number | undefined,
  optional: boolean | undefined,
  what: string,
): readonly VolumeFile[] {
  if (items === undefined || items.length === 0)
    return [...contents].map(([key, content]) => file(key, content, mode));
  return items.flatMap(({ key, path, mode: own }) => {
    const content = contents.get(key);
    if (content !== undefined) return [file(path, content, own ?? mode)];
    if (optional === true) return [];
    throw new PodConfigError(`${what} references non-existent config key: ${key}`);
  });
}

function file(path: string, content: Uint8Array, mode: number | undefined): VolumeFile {
  if (path.startsWith('/') || path.split('/').includes('..'))
    throw new PodConfigError(`invalid path "${path}": must be relative and without ".."`);
  return { path, content, mode: mode ?? DEFAULT_MODE };
}
