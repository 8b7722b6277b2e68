import {
  type ConfigMap,
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

/** Which keys of a ConfigMap or Secret become files, and whether it must be there: the API has the same fields for both. */
type KeySelection = NonNullable<VolumeProjection['configMap'] & VolumeProjection['secret']>;

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
    const { defaultMode } = volume.configMap;
    return files(configMapFiles(volume.configMap, defaultMode, context.objects));
  }
  if (volume.secret !== undefined) {
    const { secretName: name, defaultMode, ...source } = volume.secret;
    return files(
      secretFiles({ ...source, ...(name !== undefined && { name }) }, defaultMode, context.objects),
    );
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
  if (source.configMap !== undefined) return configMapFiles(source.configMap, mode, context.objects);
  if (source.secret !== undefined) return secretFiles(source.secret, mode, context.objects);
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
  source: KeySelection,
  mode: number | undefined,
  { configMaps }: PodObjects,
): readonly VolumeFile[] {
  const found = configMaps.get(source.name ?? '');
  return pick(found && configMapContents(found), source, mode, `configmap "${source.name ?? ''}"`);
}

function secretFiles(
  source: KeySelection,
  mode: number | undefined,
  { secrets }: PodObjects,
): readonly VolumeFile[] {
  const found = secrets.get(source.name ?? '');
  return pick(found && secretContents(found), source, mode, `secret "${source.name ?? ''}"`);
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

/** The files of an object's contents, undefined when it is not there. */
function pick(
  contents: ReadonlyMap<string, Uint8Array> | undefined,
  { items, optional }: KeySelection,
  mode: number | undefined,
  what: string,
): readonly VolumeFile[] {
  if (contents === undefined) {
    if (optional === true) return [];
    throw new PodConfigError(`${what} not found`);
  }
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
