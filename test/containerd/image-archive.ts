import { createHash } from 'node:crypto';
import { type TarEntry, tar } from './tar.ts';

export interface Image {
  /** `registry/repository:tag`. */
  readonly name: string;
  /** Its only layer. */
  readonly files: readonly TarEntry[];
  /** What its containers run unless told otherwise. */
  readonly command: readonly string[];
}

/** Go's name of this machine's architecture. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The image as an archive for `ctr images import`: OCI image specification 1.0, image-layout.md. */
export function imageArchive({ name, files, command }: Image): Buffer {
  const layer = tar(files);
  const config = json({
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: 'linux',
    config: { Cmd: command, Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [digest(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
  });
  const index = json({
    schemaVersion: 2,
    manifests: [
      {
        ...descriptor('application/vnd.oci.image.manifest.v1+json', manifest),
        // containerd takes the whole name from here, an OCI reference being a tag only.
        annotations: { 'io.containerd.image.name': name },
      },
    ],
  });
  return tar([
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
    file('index.json', index),
    { kind: 'directory', path: 'blobs' },
    { kind: 'directory', path: 'blobs/sha256' },
    ...[layer, config, manifest].map((blob) => file(`blobs/${digest(blob).replace(':', '/')}`, blob)),
  ]);
}

function file(path: string, content: Uint8Array): TarEntry {
  return { kind: 'file', path, content, mode: 0o644 };
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function digest(blob: Uint8Array): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`;
}

function descriptor(mediaType: string, blob: Uint8Array): object {
  return { mediaType, digest: digest(blob), size: blob.length };
}
